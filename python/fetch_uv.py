# SPDX-License-Identifier: Apache-2.0
"""Fetches uv into a folder: `python fetch_uv.py FOLDER` leaves the program at `FOLDER/uv`.

Run by the engine when no uv is at hand, with the Python that environments are made of. The user's own pip configuration counts: index,
mirrors, certificates, proxy. pip itself does the work where there is one (also the one that `ensurepip` carries); without it the index
is read with the standard library alone, and the sha256 that the index gives is verified. It says what it does on standard error, and
touches nothing outside the folder.
"""

import base64
import configparser
import glob
import hashlib
import html.parser
import importlib.util
import json
import os
import platform
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile

TIMEOUT = 60
WHEEL = re.compile(r"uv-(?P<version>\d+(?:\.\d+)*)-py3-none-(?P<platforms>[^-]+)\.whl")


class FetchError(Exception):
    """What kept uv from being fetched, in words for a person."""


def say(text):
    print(text, file=sys.stderr, flush=True)



def libc():
    """The family of the C library, and its version where that matters."""
    try:
        name, version = os.confstr("CS_GNU_LIBC_VERSION").split()
        return name, tuple(int(part) for part in version.split(".")[:2])
    except (AttributeError, OSError, TypeError, ValueError):
        return "musl", (1, 1)


def fits(platform_tag, machine, family, version):
    """Whether a wheel for this platform tag runs here."""
    legacy = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
    match = re.fullmatch(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)", platform_tag)
    if match:
        wanted, needed, arch = match[1], (int(match[2]), int(match[3])), match[4]
    else:
        name, _, arch = platform_tag.partition("_")
        if name not in legacy:
            return False
        wanted, needed = "manylinux", legacy[name]
    if arch != machine:
        return False
    if wanted == "musllinux":
        # The programs of such wheels are linked statically, so they run beside any C library.
        return True
    return family == "glibc" and version >= needed


def rank(name):
    """Sorts wheels of uv that run here: the newest first, those of our own C library before others. None for any other file."""
    match = WHEEL.fullmatch(name)
    if not match:
        return None
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    family, version = libc()
    fitting = [tag for tag in match["platforms"].split(".") if fits(tag, machine, family, version)]
    if not fitting:
        return None
    numbers = tuple(int(part) for part in match["version"].split("."))
    is_own = any(tag.startswith("manylinux") for tag in fitting) == (family == "glibc")
    return numbers, is_own


def unpack(wheel, folder):
    """Takes the program out of a wheel; it appears at its place complete or not at all."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if re.fullmatch(r"uv-[^/]+\.data/scripts/uv", name)]
        if not names:
            raise FetchError(f"{os.path.basename(wheel)} holds no uv")
        partial = os.path.join(folder, "uv.partial")
        with open(partial, "wb") as file:
            file.write(archive.read(names[0]))
            file.flush()
            os.fsync(file.fileno())
    os.chmod(partial, 0o755)
    os.replace(partial, os.path.join(folder, "uv"))



def pip_command():
    """How to call a pip: the installed one, or the one that waits inside `ensurepip`."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"], {}
    spec = importlib.util.find_spec("ensurepip")
    if spec and spec.origin:
        bundled = sorted(glob.glob(os.path.join(os.path.dirname(spec.origin), "_bundled", "pip-*.whl")))
        if bundled:
            return [sys.executable, "-m", "pip"], {"PYTHONPATH": bundled[-1]}
    return None, {}


def with_pip(folder):
    command, extra = pip_command()
    if command is None:
        raise FetchError("this Python has no pip")
    wheels = os.path.join(folder, "wheels")
    # Settings that make sense for installing, but not for downloading one tool.
    environment = {**os.environ, **extra, "PIP_REQUIRE_HASHES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    for name in ("PIP_REQUIREMENT", "PIP_CONSTRAINT", "PIP_TARGET", "PIP_PLATFORM"):
        environment.pop(name, None)
    say("fetching uv with pip")
    arguments = ["download", "--no-deps", "--only-binary", ":all:", "--progress-bar", "off", "--dest", wheels, "uv"]
    done = subprocess.run(command + arguments, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    say((done.stdout + done.stderr).strip())
    found = glob.glob(os.path.join(wheels, "uv-*.whl"))
    if done.returncode or not found:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [f"exit code {done.returncode}"]
        raise FetchError(f"pip: {errors[-1]}")
    unpack(found[0], folder)



def settings():
    """pip's settings: its files in their order, then its variables, then uv's own for the index."""
    found = {}
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named != os.devnull:
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        machine = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
        files = [os.path.join(part, "pip", "pip.conf") for part in reversed(machine) if part]
        files += ["/etc/pip.conf", os.path.expanduser("~/.pip/pip.conf"), os.path.join(config, "pip", "pip.conf"), named]
        for path in filter(os.path.isfile, files):
            parser = configparser.RawConfigParser()
            try:
                parser.read(path, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError) as error:
                say(f"{path} is not read: {error}")
                continue
            for section in ("global", "download"):
                if parser.has_section(section):
                    found.update({name.replace("_", "-"): value for name, value in parser.items(section)})
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            found[name[4:].lower().replace("_", "-")] = value
    own = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    if own:
        # uv lets an index be named, as in `mirror=https://…`.
        found["index-url"] = re.sub(r"^[\w.-]+=", "", own)
    more = os.environ.get("UV_INDEX") or os.environ.get("UV_EXTRA_INDEX_URL")
    if more:
        found["extra-index-url"] = " ".join(re.sub(r"^[\w.-]+=", "", word) for word in more.split())
    if os.environ.get("UV_FIND_LINKS"):
        found["find-links"] = os.environ["UV_FIND_LINKS"].replace(",", " ")
    return found


class Links(html.parser.HTMLParser):
    """The links of an index page in HTML."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.files = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "base" and attributes.get("href"):
            self.base = urllib.parse.urljoin(self.base, attributes["href"])
        if tag == "a" and attributes.get("href") and "data-yanked" not in attributes:
            url, _, fragment = urllib.parse.urljoin(self.base, attributes["href"]).partition("#")
            digest = fragment[len("sha256="):] if fragment.startswith("sha256=") else None
            self.files.append((url, digest))


def files_in(page, kind, base):
    """The files of an index page as (address, sha256), in either of the two forms that an index may speak."""
    if "json" in kind:
        listed = json.loads(page)["files"]
        kept = [entry for entry in listed if not entry.get("yanked")]
        return [(urllib.parse.urljoin(base, entry["url"]), entry.get("hashes", {}).get("sha256")) for entry in kept]
    links = Links(base)
    links.feed(page.decode("utf-8", "replace"))
    return links.files


class Web:
    """Gets things over HTTP, with the certificates, the proxy and the credentials that are configured."""

    def __init__(self, configured):
        authority = configured.get("cert") or os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
        context = ssl.create_default_context()
        if authority:
            context.load_verify_locations(cadata=open(authority, encoding="utf-8", errors="replace").read())
        if configured.get("client-cert"):
            context.load_cert_chain(configured["client-cert"])
        handlers = [urllib.request.HTTPSHandler(context=context)]
        if configured.get("proxy"):
            handlers.append(urllib.request.ProxyHandler({"http": configured["proxy"], "https": configured["proxy"]}))
        self.opener = urllib.request.build_opener(*handlers)
        self.credentials = {}

    def get(self, url):
        """Answers with the body, its type and the address it came from."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise FetchError(f"{parts.scheme}:// is not an address of an index")
        host = parts.hostname + (f":{parts.port}" if parts.port else "")
        if parts.username is not None:
            pair = urllib.parse.unquote(parts.username) + ":" + urllib.parse.unquote(parts.password or "")
            self.credentials[host] = base64.b64encode(pair.encode()).decode()
        plain = urllib.parse.urlunsplit(parts._replace(netloc=host, fragment=""))
        request = urllib.request.Request(plain)
        request.add_header("Accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1")
        request.add_header("User-Agent", "lithouse")
        if host in self.credentials:
            # Not repeated to another host that a redirection leads to.
            request.add_unredirected_header("Authorization", "Basic " + self.credentials[host])
        try:
            with self.opener.open(request, timeout=TIMEOUT) as answer:
                return answer.read(), answer.headers.get("Content-Type", ""), answer.geturl()
        except urllib.error.HTTPError as error:
            raise FetchError(f"{plain} answered {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise FetchError(f"{plain} could not be reached: {getattr(error, 'reason', error)}") from error


def known_index():
    """The index that Python's own library leads to, as far as it still does: `distutils` knew where packages are uploaded to."""
    try:
        from distutils.config import PyPIRCCommand

        upload = urllib.parse.urlsplit(PyPIRCCommand.DEFAULT_REPOSITORY)
    except (ImportError, AttributeError):
        return ""
    return f"{upload.scheme}://{upload.netloc.removeprefix('upload.')}/simple"


def offers(configured, web):
    """All files that could be uv, as (address or path, sha256, whether a digest is demanded)."""
    reasons = []
    found = []
    for place in configured.get("find-links", "").split():
        path = urllib.request.url2pathname(place[len("file://"):]) if place.startswith("file://") else place
        if os.path.isdir(path):
            found += [(os.path.join(path, name), None, False) for name in sorted(os.listdir(path))]
        elif "://" in place and not place.startswith("file://"):
            try:
                found += [(url, digest, True) for url, digest in files_in(*web.get(place))]
            except FetchError as error:
                reasons.append(str(error))
    indexes = [*configured.get("index-url", known_index()).split()[:1], *configured.get("extra-index-url", "").split()]
    if configured.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        indexes = []
    if not indexes:
        reasons.append("no package index is configured and this Python has no pip, which knows one: install pip or uv, or set `PIP_INDEX_URL`")
    for index in indexes:
        try:
            found += [(url, digest, True) for url, digest in files_in(*web.get(index.rstrip("/") + "/uv/"))]
        except (FetchError, KeyError, ValueError) as error:
            reasons.append(str(error) if isinstance(error, FetchError) else f"the index's answer is not understood: {error!r}")
    return found, reasons


def without_pip(folder):
    configured = settings()
    web = Web(configured)
    say("fetching uv from the index")
    found, reasons = offers(configured, web)
    named = [(rank(urllib.parse.unquote(urllib.parse.urlsplit(place).path).rpartition("/")[2]), place, digest, is_remote) for place, digest, is_remote in found]
    fitting = sorted((entry for entry in named if entry[0]), key=lambda entry: entry[0])
    if not fitting:
        raise FetchError("; ".join(reasons) or f"no wheel of uv for this machine ({platform.machine()}) was found")
    _, place, digest, is_remote = fitting[-1]
    if not is_remote:
        say(f"taking {place}")
        unpack(place, folder)
        return
    name = urllib.parse.urlsplit(place).path.rpartition("/")[2]
    if not digest:
        raise FetchError(f"the index gives no sha256 for {name}")
    say(f"downloading {name}")
    body, _, _ = web.get(place)
    actual = hashlib.sha256(body).hexdigest()
    if actual != digest.lower():
        raise FetchError(f"{name} has sha256 {actual}, but the index says {digest}")
    wheel = os.path.join(folder, "uv.whl")
    with open(wheel, "wb") as file:
        file.write(body)
    unpack(wheel, folder)


def main(arguments):
    folder = arguments[0]
    reasons = []
    for way in (with_pip, without_pip):
        try:
            way(folder)
            return 0
        except (FetchError, OSError, zipfile.BadZipFile) as error:
            reasons.append(str(error))
            say(f"that did not work: {error}")
    say("error: " + "; ".join(reasons))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
