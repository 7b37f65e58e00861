#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Holds the manual pages against what they are about: man.sh QUESTION [ARGUMENT]
# Prints what does not agree, and fails then. Questions are functions below.
set -u

here=$(dirname "$0")
# shellcheck source=userspace/check/end.sh
. "$here/end.sh"
project=$here/../..
man=$here/../man
make_work

# agree WHAT: the files "page" and "source" are the same.
agree() {
	[ -s "$work/source" ] || echo "$1: nothing was found"
	diff "$work/page" "$work/source" >"$work/diff" &&
		[ -s "$work/source" ] && return
	sed -n "s/^</$1, in the page alone:/p; s/^>/$1, not in the page:/p" \
		"$work/diff"
	return 1
}

# Names: NAME SECTION PAGE, of all pages.
names() {
	awk 'FNR == 1 {
		page = FILENAME
		sub(/.*\//, "", page)
		section = page
		sub(/.*\./, "", section)
	}
	/^\.Sh/ { inside = $2 == "NAME" }
	inside && $1 == ".Nm" { print $2, section, page }' "$man"/*.[1-9]
}

# mandoc has nothing to say on standard output, but that manuals are not there,
# which those of other packages need not be.
lint() {
	mandoc -T lint -W style "$man"/*.[1-9] >"$work/all" 2>"$work/stderr"
	if [ $? -gt 4 ]; then
		cat "$work/stderr"
		return 1
	fi
	grep -v 'STYLE: referenced manual not found: Xr ' "$work/all" \
		>"$work/said"
	cat "$work/said"
	[ ! -s "$work/said" ]
}

# Pages that pages of ours refer to are there.
references() {
	names | cut -d ' ' -f 1,2 | sort -u >"$work/names"
	awk '{
		for (i = 1; i < NF; i++)
			if ($i == ".Xr" || $i == "Xr")
				print $(i + 1), $(i + 2)
	}' "$man"/*.[1-9] | grep -E '^(lib)?refstore' | sort -u |
		comm -23 - "$work/names" >"$work/missing"
	sed 's/^/no such page: /' "$work/missing"
	[ ! -s "$work/missing" ]
}

# Each exported function is in the names of one page.
functions() {
	names | awk '$2 == 3 && $1 != "librefstore" { print $1 }' |
		sort >"$work/page"
	sed -n 's/^\t\(refstore_[a-z_]*\);$/\1/p' \
		"$here/../lib/librefstore.map" | sort >"$work/source"
	agree function
}

# What the pages of section 3 declare: PAGE PROTOTYPE.
declarations() {
	awk 'FNR == 1 {
		page = FILENAME
		sub(/.*\//, "", page)
	}
	/^\.Sh/ { inside = $2 == "SYNOPSIS" }
	!inside { next }
	/^\.Ft / { type = substr($0, 5) }
	/^\.Fa / {
		gsub(/^\.Fa "?|"$/, "")
		list = list comma $0
		comma = ", "
	}
	/^\.Fo / {
		name = $2
		list = comma = ""
	}
	/^\.Fn / {
		name = $2
		list = $0
		sub(/^\.Fn [^ ]+ +/, "", list)
		gsub(/" +"/, ", ", list)
		gsub(/"/, "", list)
	}
	(/^\.Fn / || /^\.Fc/) && name ~ /^refstore_/ {
		print page, type, name "(" list ")"
	}' "$man"/*.3 | sed 's/\* /*/g'
}

# They are what the header declares.
prototypes() {
	declarations | cut -d ' ' -f 2- | sort >"$work/page"
	grep -v '^[[:blank:]]*#' "$here/../lib/refstore.h" | tr '\n\t' '  ' |
		awk '{
			gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "")
			gsub(/ +/, " ")
			gsub(/\* /, "*")
			gsub(/; ?/, "\n")
			print
		}' | grep -E '^ ?[a-z][a-z0-9_ *]*[ *]refstore_[a-z_]+\(' |
		sed 's/^ //' | sort >"$work/source"
	agree prototype
}

# And each page declares the functions in its name.
synopses() {
	declarations | sed 's/(.*//; s/ .*[ *]/ /' | sort >"$work/page"
	names | awk '$2 == 3 && $1 != "librefstore" { print $3, $1 }' |
		sort >"$work/source"
	agree synopsis
}

# Each page of section 3 says what one has to know.
sections() {
	status=0
	for page in "$man"/*.3; do
		for line in 'Sh RETURN VALUES' 'Sh EXAMPLES' 'Sh ERRORS' \
			'Ss Ownership' 'Ss Threads'; do
			grep -qx "\.$line" "$page" && continue
			echo "$page: no .$line"
			status=1
		done
	done
	return "$status"
}

# Commands of the device, with their structs.
ioctls() {
	sed -n 's/^\.It Dv \(REFSTORE_[A-Z_]*\) Vt \(struct [a-z_]*\)$/\1 \2/p' \
		"$man/refstore.4" | sort >"$work/page"
	awk '/^ \* struct refstore_[a-z_]+ - ioctl\(/ { name = $3 }
	/^ \* @/ { name = "" }
	name != "" {
		while (match($0, /ioctl\([A-Z_]+\)/)) {
			print substr($0, RSTART + 6, RLENGTH - 7), "struct", name
			$0 = substr($0, RSTART + RLENGTH)
		}
	}' "$project/uapi/linux/refstore.h" | sort >"$work/source"
	agree ioctl || return 1
	cut -d ' ' -f 1 "$work/page" >"$work/commands"
	sed -n 's/^\tREFSTORE_CMD_\([A-Z_]*\)[, ].*/REFSTORE_\1/p' \
		"$project/uapi/linux/refstore.h" | sort >"$work/source"
	mv "$work/commands" "$work/page"
	agree command
}

# below TITLE: the lines of a part of refstore(4).
below() {
	sed -n "/^\.Ss $1\$/,/^\.S[hs] [^$(echo "$1" | cut -c 1)]/p" \
		"$man/refstore.4"
}

parameters() {
	below 'Module parameters' | sed -n 's/^\.It Va //p' | sort >"$work/page"
	sed -n 's/^module_param_*[a-z]*(\([a-z_]*\),.*/\1/p' \
		"$project"/module/*.c | sort >"$work/source"
	agree parameter
}

options() {
	below 'File system' | sed -n 's/^\.It Cm //p' | tr -d , |
		tr -s ' ' '\n' | sort >"$work/page"
	sed -n 's/^.*fsparam_[a-z0-9]*("\([a-z_]*\)".*/\1/p' \
		"$project/module/fs.c" | sort >"$work/source"
	agree 'mount option'
}

# Files of /proc/refstore, their columns in order, and lines of fdinfo.
proc() {
	awk '/^\.Sh / { file = "" }
	/^\.Ss / { file = $2 ~ /fdinfo/ ? "fdinfo" : $2 }
	file != "" && /^\.It Li / {
		sub(/^\/proc\/refstore\//, "", file)
		print file, $3
	}' "$man/refstore-proc.5" | sort -s -k 1,1 >"$work/page"
	awk -F '"' '/seq_puts\(m, "refstore-[a-z]+ 1\\n"\)/ {
		file = $2
		gsub(/^refstore-| .*/, "", file)
	}
	/seq_puts\(m, "# / {
		gsub(/^# |\\n$/, "", $2)
		n = split($2, column, " ")
		for (i = 1; i <= n; i++)
			print file, column[i]
	}
	/seq_printf\(m, "[a-z_]+ %llu\\n"/ {
		sub(/ .*/, "", $2)
		print file, $2
	}
	/seq_(printf|puts)\(m, "[a-z]+:\\t/ {
		sub(/:.*/, "", $2)
		print "fdinfo", $2
	}' "$project/module/proc.c" "$project/module/device.c" |
		sort -s -k 1,1 >"$work/source"
	agree 'column' || return 1
	cut -d ' ' -f 1 "$work/page" | grep -vx fdinfo | uniq >"$work/files"
	mv "$work/files" "$work/page"
	sed -n 's/^.*proc_create[a-z_]*("\([a-z]*\)".*/\1/p' \
		"$project/module/proc.c" | sort >"$work/source"
	agree 'file of /proc/refstore'
}

# What the synopsis of refstore(1) says: COMMAND OPTION. That it works on a session
# stands for several options.
synopsis_options() {
	awk '/^\.Sh/ { inside = $2 == "SYNOPSIS" }
	!inside { next }
	$1 == ".Nm" { n = 0 }
	$1 == ".Cm" || $2 == "Cm" {
		for (i = 2; i <= NF && $i != "Fl"; i++)
			if ($i != "|" && $i != "Cm")
				command[++n] = $i
	}
	{
		for (i = 2; i <= NF; i++) {
			word = ""
			if ($i ~ /^-[a-z]/ || $i == "session")
				word = $i
			else if ($i == "H" && $(i - 1) == "Fl")
				word = "-heap"
			for (k = 1; word != "" && k <= n; k++)
				print command[k], word
		}
	}' "$man/refstore.1" | sort -u
}

# options_of COMMAND: the lines of its --help that begin with options.
options_of() {
	"$tool" "$1" --help | sed '1,/^Options:/d' | grep -E '^ {2,6}-'
}

# Its long options, likewise.
help_options() {
	options_of "$1" | grep -oE -- '--[a-z][a-z-]*' |
		sed -e 's/^-//' -e '/^-json$/d' -e '/^-version$/d' \
			-e '/^-help$/d' >"$work/options"
	if grep -qx -e -pid "$work/options"; then
		sed -e '/^-heap$/d' -e '/^-fd$/d' -e '/^-session-fd$/d' \
			-e 's/^-pid$/session/' "$work/options"
	else
		cat "$work/options"
	fi | sed "s/^/$1 /"
}

# described OPTION: refstore(1) does so, after the synopsis: a letter in a list, a
# word ("-x") anywhere.
described() {
	case $1 in
	-*) line= ;;
	*) line='^\.It .*' ;;
	esac
	sed '1,/^\.Sh DESCRIPTION/d' "$man/refstore.1" |
		grep -qE -- "$line(Fl|,|\|) $1( |\$)" && return
	echo "option $1 is not described"
	return 1
}

# The commands and options of refstore(1) are those that the tool tells of.
help() {
	tool=$1
	awk '/^\.Bl/ { depth++ }
	/^\.El/ && !--depth { exit }
	depth == 1 && /^\.It Cm / { print $3 }' "$man/refstore.1" |
		sort >"$work/page"
	"$tool" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p' |
		sort >"$work/source"
	agree command || return 1
	mv "$work/source" "$work/commands"

	synopsis_options >"$work/page"
	while read -r command; do
		help_options "$command"
		options_of "$command" >>"$work/all"
	done <"$work/commands" | sort -u >"$work/source"
	agree option || return 1

	grep -oE -- '(^| )--?[A-Za-z][a-z-]*' "$work/all" | sed 's/^ *-//' |
		sort -u >"$work/options"
	status=0
	while read -r option; do
		described "$option" || status=1
	done <"$work/options"
	return "$status"
}

# examples DIRECTORY: writes them there.
examples() {
	rm -rf "$1"
	mkdir -p "$1"
	awk -v to="$1" -f "$here/examples.awk" "$man"/*.[1-9]
}

# People see what examples.awk takes.
shown() {
	examples "$work/examples" || return 1
	mandoc -T utf8 "$man"/*.[1-9] 2>/dev/null | expand | tr -s ' ' |
		sed 's/^ //' | sort -u >"$work/rendered"
	find "$work/examples" ! -name '*.shells' -type f -exec cat {} + |
		expand | tr -s ' ' | sed 's/^ //' | sort -u |
		comm -23 - "$work/rendered" >"$work/other"
	sed 's/^/rendered otherwise: /' "$work/other"
	[ ! -s "$work/other" ]
}

question=$1
shift
"$question" "$@"
