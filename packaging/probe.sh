#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks the compiler and pkg-config once and prints the answers as Makefile variables.
# usage: probe.sh CC CXX PKG...
cc=$1 cxx=$2
shift 2

missing=
need() { command -v "${1%% *}" >/dev/null 2>&1 || missing="$missing $1"; }
need "$cc"
need "$cxx"
need pkg-config
need protoc-c
for p in "$@"; do pkg-config --exists "$p" 2>/dev/null || missing="$missing $p"; done

# $cc may hold arguments ("ccache gcc"): it is split on purpose.
# shellcheck disable=SC2086
takes() { printf '%s\n' "${2:-}" | $cc -Werror -O2 "$1" -c -x c - -o /dev/null 2>/dev/null; }
takes -g '#include <snappy-c.h>' || missing="$missing snappy"
takes -g '#include <check.h>' && check=$(pkg-config --libs check 2>/dev/null)

opts=
for o in -fstack-clash-protection -fcf-protection=full -fstrict-flex-arrays=3 \
	-ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks -Wthread-safety; do
	takes "$o" && opts="$opts $o"
done
# clang's -Wconversion brings this one, which dislikes ASSERT(!"text").
takes -Wstring-conversion && opts="$opts -Wno-string-conversion"
fortify=2
takes -D_FORTIFY_SOURCE=3 '#include <features.h>
#if __USE_FORTIFY_LEVEL < 3
#error
#endif' && fortify=3

echo "MISSING    :=$missing"
echo "CC_OPTS    :=$opts"
echo "FORTIFY    := $fortify"
echo "PKG_CFLAGS := $(pkg-config --cflags "$@" 2>/dev/null)"
echo "PKG_LIBS   := $(pkg-config --libs "$@" 2>/dev/null)"
echo "CHECK_LIBS := $check"
