"""A deployed CloudFormation stack: its template after all transforms, its parameters and its resources."""

import functools
import json
import os
import re

import boto3

NO_VALUE = object()


@functools.cache
def client(service):
    """Returns a client for a service. Unlike the AWS SDKs for other languages, boto3 ignores AWS_REGION."""
    return boto3.client(service, region_name=os.environ.get("AWS_REGION"))


class Stack:
    """A deployed stack, which resolves the intrinsic functions that its template uses."""

    def __init__(self, name):
        cloudformation = client("cloudformation")
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        self.name = name
        self.status = description["StackStatus"]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in description.get("Outputs", [])}
        self.parameters = {
            p["ParameterKey"]: p.get("ResolvedValue", p["ParameterValue"])
            for p in description.get("Parameters", [])
        }
        template = cloudformation.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
        self.template = json.loads(template) if isinstance(template, str) else template
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        self.resources = {r["LogicalResourceId"]: r for p in pages for r in p["StackResourceSummaries"]}
        self.ids = {
            id: r["PhysicalResourceId"] for id, r in self.resources.items() if "PhysicalResourceId" in r
        }
        self.region = cloudformation.meta.region_name

    @functools.cached_property
    def account(self):
        return client("sts").get_caller_identity()["Account"]

    @property
    def partition(self):
        return client("cloudformation").meta.partition

    def of_type(self, *types):
        """Returns the template's resources of these types whose condition holds, by logical ID."""
        return {
            id: resource.get("Properties", {})
            for id, resource in self.template["Resources"].items()
            if resource["Type"] in types and self.holds(resource.get("Condition"))
        }

    def holds(self, condition):
        """Returns whether a condition, given by name, holds. No condition always holds."""
        if condition is None:
            return True
        return self._evaluate_condition(self.template["Conditions"][condition])

    def _evaluate_condition(self, value):
        ((function, argument),) = value.items()
        match function:
            case "Condition":
                return self.holds(argument)
            case "Fn::Equals":
                left, right = (str(self.resolve(side)) for side in argument)
                return left == right
            case "Fn::Not":
                return not self._evaluate_condition(argument[0])
            case "Fn::And":
                return all(self._evaluate_condition(part) for part in argument)
            case "Fn::Or":
                return any(self._evaluate_condition(part) for part in argument)
        raise ValueError(f"unknown function in a condition: {function}")

    def resolve(self, value):
        """Returns a property's deployed value. Parts that are AWS::NoValue are left out."""
        if isinstance(value, list):
            return [v for v in map(self.resolve, value) if v is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            match function:
                case "Ref":
                    return self._reference(argument)
                case "Fn::Sub":
                    return self._substitute(argument)
                case "Fn::GetAtt":
                    id, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
                    return self._attribute(id, attribute)
                case "Fn::If":
                    condition, yes, no = argument
                    return self.resolve(yes if self.holds(condition) else no)
                case "Fn::Split":
                    separator, text = argument
                    return self.resolve(text).split(separator)
                case "Fn::Join":
                    separator, parts = argument
                    return separator.join(map(str, self.resolve(parts)))
                case "Fn::FindInMap":
                    table, row, column = (self.resolve(key) for key in argument)
                    return self.template["Mappings"][table][row][column]
        resolved = {k: self.resolve(v) for k, v in value.items()}
        return {k: v for k, v in resolved.items() if v is not NO_VALUE}

    def property(self, properties, name):
        """Returns a property's deployed value, or None if it is not set."""
        value = self.resolve(properties.get(name))
        return None if value is NO_VALUE else value

    def _substitute(self, argument):
        text, variables = argument if isinstance(argument, list) else (argument, {})

        def replacement(match):
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in variables:
                return str(self.resolve(variables[name]))
            if "." in name:
                return str(self._attribute(*name.split(".", 1)))
            return str(self._reference(name))

        return re.sub(r"\$\{([^}]+)\}", replacement, text)

    def _reference(self, name):
        match name:
            case "AWS::NoValue":
                return NO_VALUE
            case "AWS::StackName":
                return self.name
            case "AWS::Region":
                return self.region
            case "AWS::AccountId":
                return self.account
            case "AWS::Partition":
                return self.partition
            case "AWS::URLSuffix":
                return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        return self.parameters[name] if name in self.parameters else self.ids[name]

    def _attribute(self, id, attribute):
        physical = self.ids[id]
        match self.template["Resources"][id]["Type"], attribute:
            case _, "Arn" if physical.startswith("arn:"):
                return physical
            case "AWS::Lambda::Function", "Arn":
                function = client("lambda").get_function_configuration(FunctionName=physical)
                return function["FunctionArn"]
            case "AWS::DynamoDB::Table", "Arn":
                return self.table(id)["TableArn"]
            case "AWS::DynamoDB::Table", "StreamArn":
                return self.table(id).get("LatestStreamArn")
            case "AWS::IAM::Role", "Arn":
                return client("iam").get_role(RoleName=physical)["Role"]["Arn"]
            case "AWS::Events::Rule", "Arn":
                return client("events").describe_rule(Name=physical.split("|")[-1])["Arn"]
            case "AWS::S3::Bucket", "Arn":
                return f"arn:{self.partition}:s3:::{physical}"
            case "AWS::SQS::Queue", "Arn":
                attributes = client("sqs").get_queue_attributes(
                    QueueUrl=physical, AttributeNames=["QueueArn"]
                )
                return attributes["Attributes"]["QueueArn"]
            case "AWS::Logs::LogGroup", "Arn":
                return f"arn:{self.partition}:logs:{self.region}:{self.account}:log-group:{physical}:*"
        raise ValueError(f"cannot resolve {id}.{attribute}")

    def table(self, id):
        return client("dynamodb").describe_table(TableName=self.ids[id])["Table"]
