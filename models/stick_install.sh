#!/bin/sh
# Sets Beside up from this stick, without a network:   sh install.sh [FOLDER]     (default: ~/beside)
# It changes nothing before every file of the stick has been compared with its list.
set -eu

STICK=$(dirname "$(readlink -f "$0")")
TARGET=${1:-$HOME/beside}
RELEASE="@RELEASE@"
PYTHON="@PYTHON@"
PACKAGES="@PACKAGES@"

fail() {
	printf '%s\n' "$@" >&2
	exit 1
}

# shellcheck source=/dev/null
here=$(. /etc/os-release && echo "$ID ${VERSION_ID:-}")
[ "$here" = "$RELEASE" ] || fail "This stick is for $RELEASE, and this machine runs $here." "Make a bundle on a machine that runs $here."
[ "$(uname -m)" = x86_64 ] || fail "This stick is for 64-bit Intel and AMD machines."
[ ! -e "$TARGET/install.sh" ] || [ -e "$TARGET/.from-stick" ] || fail "$TARGET holds another copy of Beside." "Name a new folder: sh install.sh FOLDER"

echo "Comparing every file of the stick with its list ..."
(cd "$STICK" && sha256sum --quiet --check SHA256SUMS) || fail "The stick is damaged or was changed." "Make a new one."
echo "Whole. The key it says it was signed with: $(sed -n 2p "$STICK/site.pub")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo

echo "Installing Debian packages ..."
mkdir "$work/debian" "$work/lists"
cp "$STICK"/debian/* "$work/debian/" # apt cannot read a folder whose name has spaces, nor every stick
chmod 755 "$work/debian" "$work/lists"
echo "deb [trusted=yes] file:$work/debian ./" >"$work/sources.list"
offline() {
	$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o Dir::Etc::SourceList="$work/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"
}
if [ "$(dpkg-query -W -f='${db:Status-Status}' mosquitto 2>/dev/null)" != installed ] && command -v systemctl >/dev/null; then
	$as_root systemctl mask mosquitto.service 2>/dev/null || true # Beside starts a broker of its own; this one would open a port
fi
offline -qq update
# shellcheck disable=SC2086 # a list of names
offline -qq install -y --no-install-recommends $PACKAGES
minisign -V -q -p "$STICK/site.pub" -m "$STICK/manifest.json" || fail "The stick's list was not signed with the stick's key." "Do not use it."
python3 -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$PYTHON" ||
	fail "This stick's packages are for Python $PYTHON, and this machine has $(python3 -V)."

echo "Copying Beside to $TARGET ..."
mkdir -p "$TARGET/models/fetched" "${XDG_CACHE_HOME:-$HOME/.cache}/beside/wheels/avx2"
cp -R "$STICK/beside/." "$TARGET/"
cp -R "$STICK/models/." "$TARGET/models/fetched/"
cp "$STICK"/engine/*.whl "${XDG_CACHE_HOME:-$HOME/.cache}/beside/wheels/avx2/"
touch "$TARGET/.from-stick"
chmod +x "$TARGET/install.sh"

ln -s "$STICK/wheels" "$work/wheels" # pip splits this setting at spaces
cd "$TARGET"
PIP_NO_INDEX=1 PIP_FIND_LINKS="$work/wheels" ./install.sh --setup
