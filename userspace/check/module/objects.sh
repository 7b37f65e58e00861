# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What is shown of one object. Sourced by module.sh.

# One object: slots and data, all of it or the beginning.
awk 'BEGIN {
	print "{\"refstore\":1}"
	printf "{\"id\":1,\"type\":\"list\",\"slots\":[2,null,3,4,5,6"
	for (i = 0; i < 20; i++)
		printf ",1"
	print "],\"sealed\":[\"slots\"],\"text\":\"one\\ntwo\"}"
	print "{\"id\":2,\"type\":\"bytes\",\"data\":\"AGhlbGxv/w==\"}"
	for (i = 0; i < 1023; i++)
		x = x "x"
	print "{\"id\":3,\"type\":\"str\",\"text\":\"" x "üx\"}"
	for (i = 0; i < 500; i++)
		y = y "gICA"
	print "{\"id\":4,\"type\":\"bytes\",\"data\":\"" y "\"}"
	print "{\"id\":5,\"type\":\"str\",\"text\":\"x" x "\"}"
	print "{\"id\":6,\"type\":\"none\"}"
	print "{\"root\":1}"
}' >"$work/shown"

# shown ID: one of these objects.
shown() {
	refstore load "$work/shown" -- refstore show "$@"
}

echo 'type        list
state       tracked,candidate,sealed-slots
refs        21
generation  0
bytes       384
slots       26
  slot 0: object 2
  slot 2: object 3
  slot 3: object 4
  slot 4: object 5
  slot 5: object 6' >"$work/wanted"
for slot in $(seq 6 20); do
	echo "  slot $slot: object 1" >>"$work/wanted"
done
echo '  5 more
data        7
  one
  two' >>"$work/wanted"
shown 1 | sed 's/candidate,//; s/^bytes .*/bytes/; s/^gen.*/gen/' >"$work/text"
sed -i 's/candidate,//; s/^bytes .*/bytes/; s/^gen.*/gen/' "$work/wanted"
check 'an object is shown to people' diff "$work/wanted" "$work/text"
check 'and all of its slots in JSON' gives 'v["nr_slots"] == 26 and
	v["slots"][:2] == [{"slot": 0, "object": 2}, {"slot": 2, "object": 3}]
	and [s["slot"] for s in v["slots"][5:]] == list(range(6, 26)) and
	v["id"] == 1 and v["text"].split() == ["one", "two"] and
	v["data"] == 7 and
	v["refs"] == 21 and v["type"] == "list" and "more" not in v and
	"sealed-slots" in v["state"] and v["generation"] in range(3) and
	v["bytes"] > 200' shown 1
echo '  00000000: 0068 656c 6c6f ff                        .hello.' \
	>"$work/wanted"
shown 2 | tail -n 1 >"$work/text"
check 'bytes are shown in hex' diff "$work/wanted" "$work/text"
check 'and in JSON' gives 'v["hex"] == "0068656c6c6fff" and
	"text" not in v and "more" not in v and "generation" not in v and
	v["slots"] == [] and v["nr_slots"] == 0' shown 2
check 'long text is cut between characters' gives \
	'v["text"] == 1023 * "x" and v["more"] == 3 and v["data"] == 1026' \
	shown 3
check 'text that just fits is not' gives \
	'v["text"] == 1024 * "x" and "more" not in v' shown 5
check 'the beginning of long bytes is shown' gives \
	'v["hex"] == 64 * "80" and v["more"] == 1436' shown 4
check 'nothing is shown of no data' gives \
	'v["data"] == 0 and "text" not in v and "hex" not in v' shown 6
check 'an object that is not there is not shown' says 'no object 7' shown 7
check 'a large value is shown' gives 'v["data"] == 800001 and
	len(v["hex"]) == 128 and v["more"] == 799937 and "large" in v["state"]' \
	refstore load "$work/large" -- refstore show 1
