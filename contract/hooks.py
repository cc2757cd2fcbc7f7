# SPDX-License-Identifier: Apache-2.0
"""What the document of the API cannot say about its inputs, told to schemathesis.

A schema says that a file is bytes, and cannot say that a bundle is an archive and a script is not empty. Where a request is meant to be
right, its files are put in the place of the bytes. What is meant to be wrong is sent as it is.

The files are text, not bytes: what a hook has changed is judged anew against its schema, and bytes would make it wrong, whatever they are.
"""

import io
import tarfile
import zlib

import jsonschema_rs
import schemathesis

FORM = "multipart/form-data"


def requirements_of(number):
    """Requirements that nothing fulfils: no index is asked for them, so that no test waits for a network."""
    return f"missing-{number}<1,>2\n"


def script_of(number):
    """A script."""
    return f"# no. {number}: …\nprint('hello')\n"


def bundle_of(number):
    """An archive. All of a tar with plain files is text."""
    files = {"requirements.txt": requirements_of(number), "app.py": "print('hello')\n", "data/sales.csv": "8" * number}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return packed.getvalue().decode("ascii")


FILES = {"requirements": requirements_of, "app": script_of, "bundle": bundle_of}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Put files in the place of bytes, and give the files of a snippet names that do not collide."""
    if is_negative(case) or not isinstance(case.body, dict):
        return
    if case.media_type == FORM:
        # The same bytes are the same file, so that a run can be repeated.
        case.body = {name: FILES[name](zlib.crc32(repr(value).encode()) % 8) if name in FILES else value for name, value in case.body.items()}
    elif case.operation.path.endswith("/execute") and isinstance(files := case.body.get("files"), list):
        case.body = {**case.body, "files": [{**file, "name": f"{number}/{file['name'][-50:].lstrip('/')}"} if number else file for number, file in enumerate(files)]}


@schemathesis.hook
def filter_case(context, case):
    """Leave out forms that are not what they are meant to be.

    A form has no types: a number in the place of a text is sent as that text, which is right. And a form that is made up one field at a
    time may lack the files that have to be in it, which is wrong.
    """
    if case.media_type != FORM or not isinstance(case.body, dict):
        return True
    schema = next(iter(case.operation.body)).optimized_schema
    # Bytes are text of a class of their own, which the validator does not know.
    form = {name: value if type(value) in (str, list, dict) else "".join(str(value)) for name, value in case.body.items()}
    return jsonschema_rs.validator_for(schema, validate_formats=False).is_valid(form) != is_negative(case)


def is_negative(case):
    """Whether the case, or a part of it, is meant to be wrong."""
    if case.meta is None:
        return False
    return case.meta.generation.mode.is_negative or any(part.mode.is_negative for part in case.meta.components.values())
