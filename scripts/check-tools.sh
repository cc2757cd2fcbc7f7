#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks for the tools that are named as arguments, and tells for each one that is missing how to install it.
set -eu
cd "$(dirname "$0")/.."

missing=0

tell() { # what is missing, and the command that mends it
    echo "missing: $1" >&2
    echo "    install it with: $2" >&2
    missing=1
}

# The command that installs packages here: as named by Debian, Fedora, Arch, openSUSE and Alpine, in this order.
install_command() {
    if command -v apt-get >/dev/null; then echo "sudo apt-get install $1"
    elif command -v dnf >/dev/null; then echo "sudo dnf install $2"
    elif command -v pacman >/dev/null; then echo "sudo pacman -S $3"
    elif command -v zypper >/dev/null; then echo "sudo zypper install $4"
    elif command -v apk >/dev/null; then echo "sudo apk add $5"
    else echo "the package manager of this machine: $1"
    fi
}

# Whether version $1 is at least $2, each with two numbers that count.
at_least() {
    have_major=${1%%.*} have_rest=${1#*.} want_major=${2%%.*} want_rest=${2#*.}
    have_minor=${have_rest%%[!0-9]*} want_minor=${want_rest%%[!0-9]*}
    [ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

check_cargo() {
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! command -v cargo >/dev/null; then
        tell "cargo, from Rust $wanted or newer" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    else
        found=$(rustc --version | cut -d ' ' -f 2)
        at_least "$found" "$wanted" || tell "Rust $wanted or newer (this is $found)" "rustup update stable"
    fi
    command -v cc >/dev/null || tell "a C compiler, which links Rust programs" "$(install_command gcc gcc gcc gcc build-base)"
}

check_rust_components() {
    cargo fmt --version >/dev/null 2>&1 || tell "rustfmt" "rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || tell "clippy" "rustup component add clippy"
}

check_python() {
    python=${PYTHON:-python3}
    command=$(install_command python3 python3 python python3 python3)
    if ! found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then
        tell "$python, version 3.10 or newer" "$command"
    elif ! at_least "$found" 3.10; then
        tell "Python 3.10 or newer ($python is $found)" "$command, or name a newer one: make PYTHON=python3.12 …"
    fi
}

# What is installed for tests goes into a virtual environment; Debian has what makes one in packages of their own.
check_venv() {
    python=${PYTHON:-python3}
    found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 0
    "$python" -c 'import venv, ensurepip' 2>/dev/null || "$python" -c 'import venv, pip' 2>/dev/null ||
        tell "the modules \`venv\` and \`pip\` of $python" "$(install_command "python$found-venv" python3-pip python-pip python3-pip py3-pip)"
}

check_node() {
    command=$(install_command "nodejs npm" "nodejs npm" "nodejs npm" "nodejs20 npm20" "nodejs npm")
    if ! command -v node >/dev/null; then
        tell "Node.js 20 or newer" "$command"
    else
        found=$(node --version | tr -d v)
        at_least "$found" 20.15 || tell "Node.js 20.15 or newer (this is $found)" "$command, or from https://nodejs.org"
    fi
    command -v npm >/dev/null || tell "npm" "$command"
}

# A Rust that is not released yet: only it can watch which ways through a program an input takes.
check_fuzz() {
    if ! command -v rustup >/dev/null; then
        tell "rustup, which has several versions of Rust beside each other" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    elif ! rustup run nightly rustc --version >/dev/null 2>&1; then
        tell "Rust of the nightly channel" "rustup toolchain install nightly --profile minimal"
    fi
    command -v cargo-fuzz >/dev/null || tell "cargo-fuzz" "cargo install cargo-fuzz --locked"
    command -v c++ >/dev/null || tell "a C++ compiler, which builds libFuzzer" "$(install_command g++ gcc-c++ gcc gcc-c++ build-base)"
}

for tool in "$@"; do
    case $tool in
        cargo) check_cargo ;;
        rust-components) check_rust_components ;;
        python) check_python ;;
        venv) check_venv ;;
        node) check_node ;;
        fuzz) check_fuzz ;;
        *) echo "check-tools.sh does not know \`$tool\`" >&2; exit 2 ;;
    esac
done
exit "$missing"
