"""Lints the template for every combination of the parameters that add, remove or replace resources.

For each combination, resolves the conditions, so that a reference to a resource that does not exist then is
an error, and cfn-lint sees the parameters' values. cfn-lint does not check references in a function's
environment, so this script checks all references. Prints the findings, and fails if there are any.
"""

import itertools
import json
import multiprocessing
import pathlib
import re
import sys

from cfnlint.api import lint
from samcli.yamlhelper import yaml_parse

TEMPLATE = pathlib.Path(__file__).parent.parent / "template.yaml"

REGION = "eu-central-1"

# The required parameters.
COMMON = {"JwtIssuer": "https://login.example.com", "EmailFrom": "no-reply@example.com"}

# Each list has the alternatives for one choice.
CHOICES = [
    [
        {"EmailIdentity": "example.com"},
        {"EmailIdentity": "no-reply@example.com"},
        {"ExistingEmailIdentityArn": f"arn:aws:ses:{REGION}:123456789012:identity/example.com"},
    ],
    [{}, {"ExistingFilesBucket": "platform-files", "FilesPrefix": "assets/{module}/items/{item}/"}],
    [{}, {"FilesKmsKeyArn": f"arn:aws:kms:{REGION}:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"}],
    [{}, {"ItemResolver": f"arn:aws:lambda:{REGION}:123456789012:function:resolve-item:live"}],
]

# Every other combination also sets the remaining parameters that conditions depend on.
OTHERS = {
    "AlarmTopic": f"arn:aws:sns:{REGION}:123456789012:alarms",
    "CanaryDeployments": "true",
    "CertificateArn": f"arn:aws:acm:{REGION}:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef",
    "CorsOrigins": "https://app.example.com",
    "DomainName": "files.example.com",
    "EventBusName": "platform",
    "HostedZoneId": "Z0123456789EXAMPLE",
    "NotifyConcurrency": "5",
    "ProtectKeyRing": "false",
    "PublicBaseUrl": "https://cdn.example.com",
    "RedeemConcurrency": "100",
    "TrackConcurrency": "10",
}

# Every other of these combinations has a distribution.
DISTRIBUTION = {
    "CertificateArn": "",
    "DistributionCertificateArn": OTHERS["CertificateArn"].replace(REGION, "us-east-1"),
    "WebAclArn": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/sharelink/01234567-89ab-cdef-0123-456789abcdef",
}


class Resolver:
    """Resolves a template's conditions for given parameter values."""

    def __init__(self, template, parameters):
        self.template = template
        defaults = {name: p["Default"] for name, p in template["Parameters"].items() if "Default" in p}
        self.parameters = {**defaults, **parameters}

    def resolve(self):
        template = {k: self.choose(v) for k, v in self.template.items() if k not in ("Conditions", "Rules")}
        for section in ("Resources", "Outputs"):
            template[section] = {
                name: entry
                for name, entry in template[section].items()
                # A loop is a list. Its resources have no conditions.
                if isinstance(entry, list) or self.applies(entry)
            }
        for name, value in self.parameters.items():
            template["Parameters"][name] = {**template["Parameters"][name], "Default": value}
        return template

    def choose(self, value):
        """Replaces every Fn::If with the branch that applies."""
        if isinstance(value, list):
            chosen = [self.choose(v) for v in value]
            return [v for v in chosen if v != {"Ref": "AWS::NoValue"}]
        if isinstance(value, dict):
            if set(value) == {"Fn::If"}:
                condition, if_true, if_false = value["Fn::If"]
                return self.choose(if_true if self.holds(condition) else if_false)
            chosen = {k: self.choose(v) for k, v in value.items()}
            return {k: v for k, v in chosen.items() if v != {"Ref": "AWS::NoValue"}}
        return value

    def applies(self, entry):
        """Returns whether a resource or output exists, and removes its condition."""
        return self.holds(entry.pop("Condition")) if "Condition" in entry else True

    def holds(self, name):
        return self.evaluate(self.template["Conditions"][name])

    def evaluate(self, value):
        if not isinstance(value, dict):
            return value
        [(function, argument)] = value.items()
        match function:
            case "Condition":
                return self.holds(argument)
            case "Ref":
                return str(self.parameters[argument])
            case "Fn::Not":
                return not self.evaluate(argument[0])
            case "Fn::And":
                return all(self.evaluate(v) for v in argument)
            case "Fn::Equals":
                left, right = map(self.evaluate, argument)
                return left == right
            case "Fn::Join":
                return argument[0].join(self.evaluate(argument[1]))
            case "Fn::Split":
                return self.evaluate(argument[1]).split(argument[0])
        sys.exit(f"unknown function in a condition: {function}")


def defined_names(template):
    """Returns everything that a reference may name, including a loop's identifier and its resources."""
    names = set(template["Parameters"])
    for name, entry in template["Resources"].items():
        if isinstance(entry, list):
            identifier, items, fragment = entry
            names.add(identifier)
            names |= {key.replace(f"${{{identifier}}}", item) for item in items for key in fragment}
        else:
            names.add(name)
    return names


def references(value):
    """Yields the name that each Ref, Fn::GetAtt and Fn::Sub refers to."""
    if isinstance(value, list):
        for v in value:
            yield from references(v)
    elif isinstance(value, dict):
        for key, v in value.items():
            if key == "Ref" and isinstance(v, str):
                # SAM has references such as Api.Stage.
                yield v.split(".")[0]
            elif key == "Fn::GetAtt" and isinstance(v, list) and isinstance(v[0], str):
                yield v[0]
            elif key == "Fn::Sub":
                text, local = (v[0], v[1]) if isinstance(v, list) else (v, {})
                yield from (name for name in re.findall(r"\$\{([A-Za-z0-9:]+)", text) if name not in local)
                yield from references(local)
            else:
                yield from references(v)


def find_problems(parameters):
    template = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    resolved = Resolver(template, parameters).resolve()
    names = defined_names(resolved)
    unknown = {name for name in references(resolved) if name not in names and "::" not in name}
    problems = [f"{name} does not exist" for name in sorted(unknown)]
    # Not every combination uses every parameter.
    problems += [str(p) for p in lint(json.dumps(resolved), regions=[REGION]) if p.rule.id != "W2001"]
    return [f"{', '.join(parameters)}: {problem}" for problem in problems]


def main():
    combinations = [
        COMMON | {name: value for choice in choices for name, value in choice.items()}
        for choices in itertools.product(*CHOICES)
    ]
    for combination in combinations[::2]:
        combination.update(OTHERS)
    for combination in combinations[::4]:
        combination.update(DISTRIBUTION)
    with multiprocessing.Pool() as pool:
        problems = [p for found in pool.imap_unordered(find_problems, combinations) for p in found]
    print("\n".join([*problems, f"linted {len(combinations)} combinations of parameters"]))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
