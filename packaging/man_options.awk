# SPDX-License-Identifier: Apache-2.0
# Turns docs/reference/config.md, which belfry prints from its own table of keys, into the mdoc of
# belfry.yml(5), and puts it where that page says OPTIONS.
# usage: awk -f man_options.awk docs/reference/config.md packaging/man/belfry.yml.5

function text(s) {
	gsub(/\\/, "\\e", s)
	gsub(/ \*[A-Z]/, " &", s) # *emphasis*
	gsub(/  \*/, " ", s)
	gsub(/\.\*( |$)/, ". ", s)
	gsub(/`/, "", s)
	gsub(/^ +| +$/, "", s)
	if (s ~ /^[.']/)
		s = "\\&" s
	return s
}

# Each sentence has its line.
function sentences(s) {
	s = text(s)
	gsub(/[.] /, ".\n", s)
	return s
}

# mdoc reads punctuation that stands alone as markup: \& keeps it text.
function argument(s) {
	s = text(s)
	gsub(/"/, "\\(dq", s)
	return "\"" s "\""
}

function end_list() {
	if (in_list)
		add(".El")
	in_list = 0
}

function add(line) { body = body line "\n" }

FNR == NR {
	if (/^# / || /^<!--/ || /^\|---/ || /^\| key /)
		next
	if (/^## /) {
		end_list()
		seen = 1
		add(".Ss " text(substr($0, 4)))
		fresh = 1
		next
	}
	if (!seen)
		next # the introduction: the page has its own
	if (/^\| /) {
		fresh = 0
		if (!in_list)
			add(".Bl -tag -width Ds")
		in_list = 1
		split($0, cell, /[ ]\|[ ]?/)
		name = cell[1]
		sub(/^\| /, "", name)
		line = ".It Ic " argument(name) " Pq " argument(text(cell[2]) (cell[3] ~ /[^ ]/ ? (cell[3] ~ /required/ ? ", " : ", default ") text(cell[3]) : ""))
		add(line)
		if (cell[4] ~ /[^ ]/)
			add(sentences(cell[4]))
		next
	}
	if (/^$/) {
		gap = 1
		next
	}
	end_list()
	if (gap && !fresh)
		add(".Pp")
	gap = fresh = 0
	sub(/^- /, "")
	add(sentences($0))
	next
}

/^\.\\" OPTIONS/ {
	end_list()
	printf ".Sh OPTIONS\n%s", body
	next
}
{ print }
