# SPDX-License-Identifier: GPL-2.0-only
# Writes what literal displays of manual pages contain to files below "to":
#
#	awk -v to=DIRECTORY -f examples.awk PAGE...
#
# A comment before each display says what it is:
#
#	.\" File: NAME		the file NAME, a program in C for example
#	.\" Shell: NAME		lines for a shell: the file NAME.sh
#	.\" Terminal: NAME	the same, in another terminal, where they stay
#	.\" Output: NAME	what the program or the lines print: NAME.out
#
# PAGE.shells lists the NAMEs of lines for a shell in their order, with a "&" for
# those of another terminal. Displays without a comment, names that are given twice,
# and what cannot be plain text are errors.

function fail(what)
{
	print FILENAME ":" FNR ": " what
	failed = 1
}

# What the page means by its escapes.
function plain(text,	out, escape)
{
	out = ""
	while (match(text, /\\(\(..|.)/)) {
		escape = substr(text, RSTART + 1, RLENGTH - 1)
		if (!(escape in character))
			fail("\\" escape " in an example")
		out = out substr(text, 1, RSTART - 1) character[escape]
		text = substr(text, RSTART + RLENGTH)
	}
	return out text
}

BEGIN {
	character["e"] = "\\"
	character["&"] = ""
	character["-"] = "-"
	character["(aq"] = "'"
	character["(dq"] = "\""
	character["(ga"] = "`"
	character["(ha"] = "^"
	character["(ti"] = "~"
	suffix["File:"] = ""
	suffix["Shell:"] = ".sh"
	suffix["Terminal:"] = ".sh"
	suffix["Output:"] = ".out"
}

FNR == 1 {
	page = FILENAME
	sub(/.*\//, "", page)
	kind = file = ""
}

/^\.\\" (File|Shell|Terminal|Output): [a-z0-9.-]+$/ {
	kind = $2
	name = $3
	next
}

/^\.Bd -literal/ {
	if (kind == "") {
		fail("a display that is not said to be a file, or anything else")
		next
	}
	file = to "/" name suffix[kind]
	if (file in seen)
		fail(name " was there before")
	seen[file] = 1
	printf "" >file
	if (suffix[kind] == ".sh")
		print name (kind == "Shell:" ? "" : " &") >(to "/" page ".shells")
	kind = ""
	next
}

/^\.Ed$/ {
	if (file != "")
		close(file)
	file = ""
	next
}

kind != "" {
	fail("no display after the comment")
	kind = ""
}

file != "" {
	if ($0 ~ /^[.']/)
		fail("a request in an example")
	print plain($0) >file
}

END {
	exit failed
}
