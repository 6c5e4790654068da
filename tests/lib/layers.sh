#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rules about the tree that no compiler checks: who may include whom, what may not be called, what a
# file must look like. Prints `file:line: what` for each breach; exit 1 when there was one.
# usage: layers.sh [ROOT]   (its own test, tests/lib/test_layers.sh, gives a ROOT)
set -u
cd "${1:-.}" || exit 2
breaches=0
breach() {
	echo "$1: $2"
	breaches=$((breaches + 1))
}

# The include prefixes that a folder may use, most particular folder first.
allowed_for() {
	case $1 in
	base/*) echo 'base/' ;;
	storage/*) echo 'base/ storage/' ;;
	rules/promql/*) echo 'base/ rules/promql/' ;;
	rules/*) echo 'base/ storage/ rules/' ;;
	exporters/*) echo 'base/ storage/ rules/ exporters/' ;;
	agent/*) echo 'base/ storage/ rules/ exporters/ agent/' ;;
	tests/*) echo 'base/ storage/ rules/ exporters/ agent/ tests/' ;;
	esac
}

# Generated headers have no folder: who may know them is said here.
generated_allowed() {
	case $1:$2 in
	agent/*:web_assets.h | rules/pack.c:pack_assets.h | agent/*:pack_assets.h | agent/*:*.pb-c.h | tests/*:web_assets.h | tests/*:*.pb-c.h) return 0 ;;
	*) return 1 ;;
	esac
}

# Libraries that stand behind a seam: the header's prefix, then who may include it.
library_allowed() {
	case $2 in
	event2/*) case $1 in agent/*) ;; *) return 1 ;; esac ;;
	re2/*) case $1 in base/*) ;; *) return 1 ;; esac ;;
	sqlite3.h) case $1 in base/* | rules/promql/*) return 1 ;; esac ;;
	curl/*) case $1 in exporters/* | agent/* | tests/*) ;; *) return 1 ;; esac ;;
	protobuf-c/*) case $1 in agent/* | tests/*) ;; *) return 1 ;; esac ;;
	esac
	return 0
}

includes() {
	local file line header allowed prefix ok
	while IFS=: read -r file line header; do
		case $header in
		'<'*)
			header=${header#<}
			library_allowed "$file" "${header%>*}" ||
				breach "$file:$line" "may not include <${header%>*}>: it stands behind a seam"
			continue
			;;
		esac
		header=${header#\"} header=${header%%\"*}
		ok=
		allowed=$(allowed_for "$file")
		for prefix in $allowed; do
			case $header in "$prefix"*) ok=1 ;; esac
		done
		[ -n "$ok" ] || generated_allowed "$file" "$header" && ok=1
		[ -n "$ok" ] || breach "$file:$line" "may not include \"$header\" (only $allowed)"
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' -- "${sources[@]}" /dev/null |
		sed -E 's/:[[:space:]]*#[[:space:]]*include[[:space:]]*/:/')
}

calls() {
	local found
	while IFS= read -r found; do
		breach "${found%%:	*}" 'banned: see base/banned.h and docs/contributing.md'
	done < <(grep -nE "(^|[^A-Za-z0-9_>.\"])($1)[[:space:]]*\(" -- "${product[@]}" /dev/null |
		grep -vE '^base/(banned\.h|str\.c):|^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)' | sed -E 's/^([^:]*:[0-9]+):.*/\1:	/')
}

shape() {
	local file guard lines
	for file in "${sources[@]}"; do
		head -1 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
			breach "$file:1" 'does not begin with its SPDX line'
		lines=$(wc -l < "$file")
		[ "$lines" -le 800 ] || breach "$file:$lines" 'over 800 lines: make it two files'
		case $file in
		*.h)
			guard=BELFRY_$(echo "${file%.h}" | tr 'a-z/.-' 'A-Z___')_H
			grep -q "^#define $guard\$" "$file" || breach "$file:1" "include guard is not $guard"
			;;
		esac
	done
	while IFS=: read -r file line _; do
		breach "$file:$line" 'a typedef of something else than a function pointer'
	done < <(grep -nE '^[[:space:]]*typedef\b' -- "${sources[@]}" /dev/null | grep -vE '\(\*')
	while IFS=: read -r file line _; do
		breach "$file:$line" 'names that end in _t are the C library'"'"'s'
	done < <(grep -nE '^[[:space:]]*(struct|enum|union) [a-z0-9_]+_t \{' -- "${sources[@]}" /dev/null)
	while IFS=: read -r file line _; do
		breach "$file:$line" 'TODO without an issue: write TODO(#12): ...'
	done < <(grep -nE '\b(TODO|FIXME|XXX)\b' -- "${sources[@]}" /dev/null | grep -vE 'TODO\(#[0-9]+\):')
}

# What people wrote and is no C: each begins with its SPDX line, too (a script after its #!).
others() {
	local file
	while IFS= read -r file; do
		head -3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
			breach "$file:1" 'does not begin with its SPDX line'
	done < <(find .ci Makefile agent rules packaging dashboards tests \( -name node_modules -o -path tests/data \
		-o -path tests/fuzz/corpus \) -prune -o -type f -size +0 \( -name '*.py' -o -name '*.sh' \
		-o -name '*.js' -o -name '*.mjs' -o -name '*.css' -o -name '*.html' -o -name '*.proto' -o -name '*.awk' \
		-o -name Makefile -o -path .ci/run \) -print 2>/dev/null | sort)
}

mapfile -t sources < <(find base storage rules exporters agent tests \
	-name '*.[ch]' -o -name '*.cc' 2>/dev/null | sort)
mapfile -t product < <(printf '%s\n' "${sources[@]}" | grep -v '^tests/')
if [ "${#sources[@]}" -gt 0 ]; then
	includes
	calls 'strcpy|strcat|strncpy|strncat|sprintf|vsprintf|strtok|gets|atoi|atol|atof|alloca'
	calls 'gmtime|localtime|ctime|asctime|system|popen|fork|vfork|execve?|execvp?|execl[pe]?'
	calls 'strerror|s?rand|s?random|[dels]rand48|getpw(nam|uid)|getgr(nam|gid)|gethostbyname|inet_ntoa|ttyname'
	calls 'setlocale|setenv|unsetenv|putenv|clearenv|tmpnam|tempnam|mktemp'
	calls 'strto(l|ul|ll|ull|d|f|ld)'
	shape
fi
others
if [ "$breaches" -gt 0 ]; then
	echo "layers: $breaches breaches"
	exit 1
fi
