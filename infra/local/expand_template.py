"""Prints the template as JSON with its Fn::ForEach loops expanded, because checkov skips loops."""

import json
import pathlib

from samcli.lib.cfn_language_extensions.sam_integration import expand_language_extensions
from samcli.yamlhelper import yaml_parse

TEMPLATE = pathlib.Path(__file__).parent.parent / "template.yaml"


def main():
    template = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    print(json.dumps(expand_language_extensions(template, enabled=True).expanded_template, indent=2))


if __name__ == "__main__":
    main()
