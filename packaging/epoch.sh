#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The date of the newest entry of the Debian changelog, in seconds: the SOURCE_DATE_EPOCH of every package.
date -u -d "$(sed -n 's/^ -- .*>  //p' packaging/debian/changelog | head -n 1)" +%s
