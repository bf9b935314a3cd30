#!/usr/bin/python3 -E
# SPDX-License-Identifier: Apache-2.0
"""usage: document.py DOCUMENT      or: document.py --cases DOCUMENT < CASES

Says what is wrong with an OpenAPI 3.1 document, one complaint a line; exit status 1 where there is one. It must keep openapi-3.1.json beside this script (what of
the specification is used here, as a schema), its schemas must be JSON Schemas of 2020-12 of known keywords, and what it names must be there.
--cases reads a JSON object of name to a list of changes, each [STEP, ..., VALUE], and writes one of name to the complaints about the document so changed. The steps
lead to the member that is set; the value "-" takes it away.
"""
import copy
import functools
import json
import os
import re
import sys

import jsonschema

sys.dont_write_bytecode = True
from check import Schemas  # beside this script

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# Where schemas stand inside a schema: a list of them, an object of them, or one.
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
OBJECTS = ("properties", "patternProperties", "$defs", "dependentSchemas")
SINGLE = ("items", "additionalProperties", "unevaluatedProperties", "if", "then", "else", "not", "contains", "propertyNames")
PLAIN = ("$ref", "type", "enum", "const", "required", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems",
         "uniqueItems", "minProperties", "maxProperties", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "openapi-3.1.json"), encoding="utf-8") as file:
    SPECIFICATION = Schemas({name: value for name, value in json.load(file).items() if name != "$schema"}, ordered=False)


def resolve(document, reference):
    value = document
    for step in reference[2:].split("/"):
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value


def references(value, place=""):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield place, value["$ref"]
        for name, member in value.items():
            yield from references(member, place + "/" + name)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from references(item, f"{place}/{i}")


def check_references(document):
    used = set()
    for place, reference in references(document):
        if not reference.startswith("#/components/") or resolve(document, reference) is None:
            yield f"{place}: {reference} leads nowhere"
        used.add(reference)
    for kind, members in document.get("components", {}).items():
        for name in members if kind != "securitySchemes" else ():
            if f"#/components/{kind}/{name}" not in used:
                yield f"/components/{kind}/{name}: nothing refers to it"


def schemas(document):
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield "/components/schemas/" + name, schema
    stack = [("", {key: value for key, value in document.items() if key != "components"}),
             ("/components", {key: value for key, value in document.get("components", {}).items() if key != "schemas"})]
    while stack:
        place, value = stack.pop()
        for name, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            if name == "schema":
                yield f"{place}/schema", member
            else:
                stack.append((f"{place}/{name}", member))


@functools.lru_cache(maxsize=None)
def fault_of(text):
    try:
        jsonschema.Draft202012Validator.check_schema(json.loads(text))
    except jsonschema.SchemaError as error:
        return f"{'/'.join(map(str, error.path))}: {error.message[:300]}"
    return None


def check_schema(place, schema):
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield f"{place}: is no schema"
        return
    for keyword, value in schema.items():
        if keyword in LISTS:
            for i, item in enumerate(value):
                yield from check_schema(f"{place}/{keyword}/{i}", item)
        elif keyword in OBJECTS:
            for name, item in value.items():
                yield from check_schema(f"{place}/{keyword}/{name}", item)
        elif keyword in SINGLE:
            yield from check_schema(f"{place}/{keyword}", value)
        elif keyword not in PLAIN and not keyword.startswith("x-"):
            yield f"{place}: {keyword} is no keyword that is known here"
    if "properties" in schema:
        for name in schema.get("required", []):
            if name not in schema["properties"]:
                yield f"{place}: {name} is required and not described"
    if "$ref" in schema and set(schema) - {"$ref", "description"}:
        yield f"{place}: beside $ref only a description is wanted"
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except re.error as error:
            yield f"{place}: {error}"
    for example in schema.get("examples", []):
        for error in jsonschema.Draft202012Validator(schema).iter_errors(example):
            yield f"{place}: its own example: {error.message}"


def check_operation(document, path, method, operation, ids):
    place = f"{method.upper()} {path}"
    name = operation["operationId"]
    if name in ids:
        yield f"{place}: {name} is the operationId of {ids[name]} too"
    ids[name] = place
    parameters = [resolve(document, item["$ref"]) or {} if "$ref" in item else item for item in operation.get("parameters", [])]
    names = [(parameter.get("in"), (parameter.get("name") or "").lower()) for parameter in parameters]
    if len(set(names)) != len(names):
        yield f"{place}: a parameter stands there twice"
    if sorted(re.findall(r"\{(\w+)\}", path)) != sorted(name for where, name in names if where == "path"):
        yield f"{place}: the parameters of the path are not those that it names"
    if not any(status[0] in "23" for status in operation["responses"]):
        yield f"{place}: no success is described"
    for scheme in (scheme for requirement in operation["security"] for scheme in requirement):
        if scheme not in document["components"]["securitySchemes"]:
            yield f"{place}: there is no security scheme {scheme}"
    if not {tag["name"] for tag in document["tags"]}.issuperset(operation["tags"]):
        yield f"{place}: its tag is not among the document's"


def complaints(document):
    found = [f"{place}: {message[:300]}" for place, message in SPECIFICATION.faults(SPECIFICATION.document, document)]
    if found:
        return found
    found += check_references(document)
    for place, schema in schemas(document):
        fault = fault_of(json.dumps(schema))
        found += [f"{place}/{fault}"] if fault else check_schema(place, schema)
    ids = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                found += check_operation(document, path, method, item[method], ids)
    return found


def changed(document, changes):
    document = copy.deepcopy(document)
    for *steps, value in changes:
        at = document
        last = steps.pop()
        for step in steps:
            at = at[step]
        if value == "-":
            del at[last]
        else:
            at[last] = value
    return document


def main():
    with open(sys.argv[-1], encoding="utf-8") as lines:
        document = json.load(lines)
    if sys.argv[1] == "--cases":
        json.dump({name: complaints(changed(document, changes)) for name, changes in json.load(sys.stdin).items()}, sys.stdout)
        return
    found = complaints(document)
    print("".join(line + "\n" for line in found), end="")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
