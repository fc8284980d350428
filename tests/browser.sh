#!/bin/sh
# Prints where a Chromium is, for the tests of the status page. Where none is, installs Debian's if it may, or says how.
for name in "$CHROMIUM" chromium chromium-browser google-chrome; do
    [ -n "$name" ] && command -v "$name" && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium, for the tests of the status page" >&2
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null
    command -v chromium && exit 0
fi
echo 'The tests of the status page need a Chromium (Debian: `apt install chromium`; macOS: `brew install --cask chromium`); if it is there: CHROMIUM=/path/to/it' >&2
exit 1
