#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves that layers.sh finds what it is there for: each case is one file and the breach it must report,
# or "clean".
set -u
layers=$(dirname "$(realpath "$0")")/layers.sh
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
spdx='/* SPDX-License-Identifier: Apache-2.0 */'

try() { # FILE EXPECTED LINE...
	local file=$1 expected=$2 got
	shift 2
	mkdir -p "$dir/$(dirname "$file")"
	printf '%s\n' "$@" > "$dir/$file"
	got=$("$layers" "$dir")
	if [[ ${got:-clean} == *"$expected"* ]]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf '%s: expected %s, got: %s\n' "$file" "$expected" "${got:-clean}"
	fi
	rm -rf "${dir:?}/$file"
}

try base/a.c clean "$spdx" '#include "base/err.h"' '#include <stdio.h>'
try base/a.c 'base/a.c:2: may not include "storage/store.h"' "$spdx" '#include "storage/store.h"'
try storage/a.c 'may not include "rules/rules.h"' "$spdx" '# include "rules/rules.h"'
try rules/promql/a.c 'may not include "storage/store.h"' "$spdx" '#include "storage/store.h"'
try rules/promql/a.c 'may not include "rules/rules.h"' "$spdx" '#include "rules/rules.h"'
try rules/a.c clean "$spdx" '#include "rules/promql/parse.h"' '#include "storage/store.h"'
try exporters/a.c 'may not include "agent/app.h"' "$spdx" '#include "agent/app.h"'
try agent/http/a.c clean "$spdx" '#include "exporters/notify.h"' '#include "web_assets.h"'
try agent/a.c 'may not include "tests/lib/x.h"' "$spdx" '#include "tests/lib/x.h"'
try base/a.c 'may not include "err.h"' "$spdx" '#include "err.h"'
try rules/a.c 'may not include <event2/event.h>' "$spdx" '#include <event2/event.h>'
try base/a.c 'base/a.c:2: banned' "$spdx" 'int x = atoi (s);'
try base/a.c 'base/a.c:3: banned' "$spdx" '' '	setenv("A", "b", 1);'
try base/a.c clean "$spdx" 'int x = my_atoi(s), y = p->gets(s);' ' * calls system (no)'
try base/a.c 'does not begin with its SPDX line' '#include <stdio.h>'
try base/a_b.h 'include guard is not BELFRY_BASE_A_B_H' "$spdx" '#define A_B_H'
try base/a_b.h clean "$spdx" '#define BELFRY_BASE_A_B_H'
try base/a.c 'TODO without an issue' "$spdx" '/* TODO: later */'
try base/a.c clean "$spdx" '/* TODO(#12): later */'

try base/a.c 'base/a.c:2: banned' "$spdx" 'long x = strtol(s, NULL, 10);'
try base/a.c 'base/a.c:801: over 800 lines' "$spdx" $(seq 800)
try base/a.c 'base/a.c:2: a typedef of something' "$spdx" 'typedef struct a a;'
try base/a.c clean "$spdx" 'typedef int (*fn)(void);'
try base/a.c 'base/a.c:2: names that end in _t' "$spdx" 'struct a_t {'
try base/a.cc 'base/a.cc:2: may not include "storage/store.h"' "$spdx" '#include "storage/store.h"'
try tests/lib/a.py 'tests/lib/a.py:1: does not begin with its SPDX line' '"""words"""'
try packaging/a.sh clean '#!/bin/sh' '# SPDX-License-Identifier: Apache-2.0'
try packaging/a.sh 'packaging/a.sh:1: does not begin' '#!/bin/sh' 'true'
try tests/data/a.py clean 'data'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
