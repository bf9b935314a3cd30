#!/usr/bin/python3 -E
# SPDX-License-Identifier: Apache-2.0
"""usage: check.py [--seen FILE] DOCUMENT ANSWERS...

Holds recorded answers against the OpenAPI document. ANSWERS are files, or folders of files, of one JSON object a line:
{"from", "method", "target", "status", "type", "headers": {lower-case name: text or list of texts}, "body": text}; body is left out where it is no JSON or of a
content-encoding that the test cannot read. "front": true says that other directives stood in front of the API: only the refusals are looked at, and only as
errors.
Complaints go to standard output, equal ones once; exit status 1 where there is one or no answer at all, else 0. --seen writes which operations gave which
status how often: {operationId: {status: count}}.

Beside what JSON Schema says, an object's members must come in the order in which its schema lists them.
"""
import argparse
import collections
import json
import os
import re
import sys

import jsonschema


def no_doubles(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return members


def read_json(text):
    return json.loads(text, object_pairs_hook=no_doubles)


class Schemas:
    """Validates by schemas (2020-12) of a document, which refer to each other by #/... alone."""

    def __init__(self, document, ordered):
        self.document = document
        self.known = {}  # (reference, instance) -> errors: roles and memberships come again and again
        base = jsonschema.Draft202012Validator
        keywords = {"$ref": self.reference}
        if ordered:
            keywords["properties"] = self.properties(base)
        self.validator = jsonschema.validators.extend(base, keywords)({})

    def resolve(self, reference):
        value = self.document
        for step in reference[2:].split("/"):
            value = value[step.replace("~1", "/").replace("~0", "~")]
        return value

    def look_up(self, value):
        return self.resolve(value["$ref"]) if "$ref" in value else value

    def reference(self, validator, reference, instance, schema):
        key = reference, json.dumps(instance)
        if key not in self.known:
            self.known[key] = list(validator.descend(instance, self.resolve(reference)))
        for error in self.known[key]:
            # What was found elsewhere in an equal value has a path of its own there.
            yield jsonschema.ValidationError(error.message, validator=error.validator, path=list(error.relative_path), context=list(error.context))

    @staticmethod
    def properties(base):
        of_base = base.VALIDATORS["properties"]

        def check(validator, properties, instance, schema):
            yield from of_base(validator, properties, instance, schema)
            if isinstance(instance, dict) and schema.get("additionalProperties") is False:
                order = [name for name in properties if name in instance]
                if order != [name for name in instance if name in properties]:
                    yield jsonschema.ValidationError("members are not in the order " + " ".join(order))

        return check

    def faults(self, schema, instance):
        for error in self.validator.evolve(schema=schema).iter_errors(instance):
            reasons = "; ".join(reason.message for reason in error.context)
            yield "/" + "/".join(str(step) for step in error.absolute_path), error.message + (f" ({reasons})" if reasons else "")


# What differs from answer to answer and makes no difference to a schema: all ids of a kind, and all times of the right form, are as good as one.
ALIKE = ((re.compile('_[0-9A-Za-z]{20}"'), '_00000000000000000000"'),
         (re.compile('"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"'), '"2024-01-15T09:30:00Z"'))


class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.json = read_json(file.read())
        self.schemas = Schemas(self.json, ordered=True)
        self.error = {"headers": {"X-REQUEST-ID": {"$ref": "#/components/headers/RequestId"}, "Cache-Control": {"$ref": "#/components/headers/CacheControl"}},
                      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
        # Literal segments win: the patterns with most of them come first.
        self.patterns = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path)
                         for path in sorted(self.json["paths"], key=lambda path: path.count("{"))]
        self.paths = {}
        self.bodies, self.texts = {}, {}

    def path_of(self, target):
        path = target.split("?")[0]
        if path not in self.paths:
            self.paths[path] = next((pattern for regexp, pattern in self.patterns if regexp.fullmatch(path)), None)
        return self.paths[path]

    def operation_of(self, answer):
        path = self.path_of(answer["target"])
        method = {"HEAD": "GET"}.get(answer["method"], answer["method"])
        return path, self.json["paths"][path].get(method.lower()) if path and method.isupper() else None

    def faults(self, answer):
        """What is wrong with an answer: (JSON pointer, or name of a header, and a sentence)."""
        path, operation = self.operation_of(answer)
        status = str(answer["status"])
        if answer.get("front"):
            if answer["status"] >= 400 and "x-request-id" in answer["headers"]:
                yield from self.response_faults(self.error, answer)
        elif operation:
            response = operation["responses"].get(status)
            if response is None:
                yield "", "this status is not in the document: " + answer.get("body", "")[:200]
                return
            yield from self.response_faults(self.schemas.look_up(response), answer)
        elif path and answer["method"] == "OPTIONS" and status in ("200", "204"):
            yield from self.response_faults({"headers": self.error["headers"]}, answer)
            if "allow" not in answer["headers"]:
                yield "Allow", "is missing"
        elif answer["status"] < 400:
            yield "", "there is no such path or method in the document, and it is no refusal"
        else:
            if path and status != "405" and answer["status"] < 500 and answer["method"] in ("GET", "POST", "PATCH", "PUT", "DELETE"):
                yield "", "405 is the answer to a method that a path does not have"
            yield from self.response_faults(self.error, answer)

    def response_faults(self, response, answer):
        for name, header in response.get("headers", {}).items():
            yield from self.header_faults(name, self.schemas.look_up(header), answer["headers"].get(name.lower()))
        content = response.get("content", {})
        body = answer.get("body", "")
        if not content:
            if body:
                yield "", "there is a body: " + body[:200]
            return
        if answer["type"] not in content:
            yield "Content-Type", f"is {answer['type']}"
        elif answer["method"] == "HEAD":
            if body:
                yield "", "HEAD is answered with a body"
        elif "json" in answer["type"] and not ("content-encoding" in answer["headers"] and "body" not in answer):
            yield from self.body_faults(content[answer["type"]]["schema"], body)

    def body_faults(self, schema, body):
        for pattern, one in ALIKE:
            body = pattern.sub(one, body)
        key = json.dumps(schema), body
        if key not in self.bodies:
            try:
                self.bodies[key] = list(self.schemas.faults(schema, read_json(body)))
            except ValueError as error:
                self.bodies[key] = [("", f"is no JSON: {error}: {body[:200]}")]
        return self.bodies[key]

    def header_faults(self, name, header, given):
        if given is None:
            if header.get("required"):
                yield name, "is missing"
            return
        for text in given if isinstance(given, list) else [given]:
            text = re.sub("^reqr_[0-9A-Za-z]{20}$", "reqr_00000000000000000000", text)
            yield from ((name, message) for message in self.text_faults(header["schema"], text))

    def text_faults(self, schema, text):
        key = json.dumps(schema), text
        if key not in self.texts:
            value = int(text) if schema.get("type") == "integer" and re.fullmatch("[0-9]+", text) else text
            self.texts[key] = [message for _, message in self.schemas.faults(schema, value)]
        return self.texts[key]


def files_of(paths):
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(".jsonl"))
        else:
            yield path


def main():
    parser = argparse.ArgumentParser(usage=__doc__.splitlines()[0][7:])
    parser.add_argument("--seen")
    parser.add_argument("document")
    parser.add_argument("answers", nargs="+")
    given = parser.parse_args()
    document = Document(given.document)
    seen = collections.defaultdict(collections.Counter)
    complaints = {}
    count = 0
    for name in files_of(given.answers):
        with open(name, encoding="utf-8") as lines:
            for line in lines:
                answer = json.loads(line)
                count += 1
                path, operation = document.operation_of(answer)
                known = operation["operationId"] if operation else path or answer["target"]
                if operation and answer["method"] != "HEAD" and not answer.get("front"):
                    seen[known][answer["status"]] += 1
                for place, message in document.faults(answer):
                    # Positions and ids make no other complaint.
                    key = known, answer["status"], re.sub("/[0-9]+", "/N", place), re.sub("_[0-9A-Za-z]{20}", "_ID", message)
                    first = complaints.setdefault(key, [answer, place, message, 0])
                    first[3] += 1
    for (known, status, _, _), (answer, place, message, times) in complaints.items():
        print(f"{known}: {answer['method']} {answer['target'][:200]} {status} at {place or 'the whole'}: {message[:1000]}"
              f" ({times} times, first in {answer['from']})")
    if not count:
        print("no answer was recorded")
    print(f"# {count} answers, {len(complaints)} complaints")
    if given.seen:
        with open(given.seen, "w", encoding="utf-8") as out:
            json.dump(seen, out, sort_keys=True)
    sys.exit(1 if complaints or not count else 0)


if __name__ == "__main__":
    main()
