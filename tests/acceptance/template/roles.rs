//! Tests for least privilege. `ROLES` deliberately repeats the template's permissions, so that granting a
//! function another action takes two edits.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::document::{TEMPLATE, functions, list, properties, refers_to, resources, strings};
use crate::support::{Aws, Stack};

/// Every action in each function's role. The prefix `-` marks an action that the role denies for some rows.
const ROLES: [(&str, &[&str]); 8] = [
    (
        "ArchiveFiles",
        &[
            "dynamodb:DeleteItem",
            "dynamodb:UpdateItem",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "s3:AbortMultipartUpload",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:PutObject",
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
    (
        "CreateShares",
        &[
            "-dynamodb:BatchGetItem",
            "-dynamodb:PutItem",
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "lambda:InvokeFunction",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "s3:GetObject",
            "s3:ListBucket",
            "secretsmanager:GetSecretValue",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
    (
        "ManageShares",
        &[
            "-dynamodb:UpdateItem",
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "lambda:InvokeFunction",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "secretsmanager:GetSecretValue",
            "ssm:GetParameter",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
    (
        "NotifyRecipients",
        &[
            "-dynamodb:BatchGetItem",
            "-dynamodb:UpdateItem",
            "dynamodb:BatchGetItem",
            "dynamodb:DeleteItem",
            "dynamodb:DescribeStream",
            "dynamodb:GetItem",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "secretsmanager:GetSecretValue",
            "ses:SendEmail",
            "sqs:SendMessage",
            "ssm:GetParameter",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
    (
        "RedeemLink",
        &[
            "-dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:PutObject",
            "secretsmanager:GetSecretValue",
            "sqs:SendMessage",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
    (
        "ServeUi",
        &["logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"],
    ),
    (
        "SweepShares",
        &[
            "dynamodb:DeleteItem",
            "dynamodb:DescribeStream",
            "dynamodb:GetItem",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "events:DescribeEventBus",
            "events:PutEvents",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "sqs:SendMessage",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
    (
        "TrackDelivery",
        &[
            "-dynamodb:UpdateItem",
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "sqs:SendMessage",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
];

/// The functions that need permissions beyond logging and tracing.
const FUNCTIONS_WITH_POLICY: [&str; 7] = [
    "ArchiveFiles",
    "CreateShares",
    "ManageShares",
    "NotifyRecipients",
    "RedeemLink",
    "SweepShares",
    "TrackDelivery",
];

/// The only actions that a role may allow on every resource. They do not support resource-level permissions.
const ACTIONS_WITHOUT_RESOURCE: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];

/// The only other resources with a wildcard that a role may name.
const WILDCARDS: [&str; 6] = [
    "${ArchiveBucket.Arn}/archives/*",
    "${ArchiveBucket.Arn}/orders/*",
    "arn:${AWS::Partition}:s3:::${Bucket}/${Pattern}*",
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",
    "${LogTable.Arn}/stream/*",
    "${Table.Arn}/stream/*",
];

fn role_of(function: &str) -> String {
    format!("{function}Role")
}

/// Returns all statements that apply to a role, from its inline policies and its attached policies. Includes
/// the statements that apply only under a condition.
fn statements<'a>(template: &'a Value, role: &str) -> Vec<&'a Value> {
    let inline = list(&template["Resources"][role]["Properties"]["Policies"]);
    let attached = resources(template, "AWS::IAM::Policy").into_values().map(|policy| &policy["Properties"]);
    let policies = inline.into_iter().chain(attached.filter(|policy| refers_to(&policy["Roles"], role)));
    let statements = policies.flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
    statements.map(|statement| statement.get("Fn::If").map_or(statement, |branches| &branches[1])).collect()
}

/// Returns a role's actions in the notation of `ROLES`.
fn actions(template: &Value, role: &str) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for statement in statements(template, role) {
        let sign = if statement["Effect"] == "Deny" { "-" } else { "" };
        actions.extend(strings(&statement["Action"]).iter().map(|action| format!("{sign}{action}")));
    }
    actions
}

fn expected_actions(listed: &[&str]) -> BTreeSet<String> {
    listed.iter().map(|&action| action.to_owned()).collect()
}

/// The pattern that matches the prefix of every item's files: `FilesPrefix` with `*` for each placeholder.
fn files_pattern() -> Value {
    let replace =
        |placeholder: &str, text: Value| json!({"Fn::Join": ["*", {"Fn::Split": [placeholder, text]}]});
    replace("{item}", replace("{module}", json!({"Ref": "FilesPrefix"})))
}

/// Returns every string that contains a wildcard, including strings inside intrinsic functions, but not those
/// inside [`files_pattern`].
fn find_wildcards(value: &Value) -> Vec<&str> {
    match value {
        _ if *value == files_pattern() => vec![],
        Value::String(text) => text.contains('*').then_some(text.as_str()).into_iter().collect(),
        Value::Array(values) => values.iter().flat_map(find_wildcards).collect(),
        Value::Object(entries) => entries.values().flat_map(find_wildcards).collect(),
        _ => vec![],
    }
}

#[test]
fn each_role_has_exactly_its_listed_actions() {
    for (function, listed) in ROLES {
        assert_eq!(actions(&TEMPLATE, &role_of(function)), expected_actions(listed), "{function}");
    }
}

#[test]
fn each_function_has_its_own_role() {
    let mut expected: BTreeSet<String> = ROLES.iter().map(|(function, _)| role_of(function)).collect();
    expected.insert("DeploymentRole".to_owned());
    let roles = resources(&TEMPLATE, "AWS::IAM::Role").into_keys().map(str::to_owned);
    assert_eq!(roles.collect::<BTreeSet<_>>(), expected);
    assert_eq!(functions().into_keys().collect::<Vec<_>>(), ROLES.map(|(function, _)| function));
    for (name, function) in functions() {
        assert_eq!(function["Role"], json!({"Fn::GetAtt": format!("{name}Role.Arn")}), "{name}");
    }
}

#[test]
fn each_role_trusts_one_service() {
    for (name, role) in properties("AWS::IAM::Role") {
        let service =
            if name == "DeploymentRole" { "codedeploy.amazonaws.com" } else { "lambda.amazonaws.com" };
        let trusted =
            json!([{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]);
        assert_eq!(role["AssumeRolePolicyDocument"]["Statement"], trusted, "{name}");
    }
}

#[test]
fn each_role_has_the_path_and_permissions_boundary_of_the_parameters() {
    let boundary = json!({
        "Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]
    });
    for (name, role) in properties("AWS::IAM::Role") {
        assert_eq!(role["Path"], json!({"Ref": "RolePath"}), "{name}");
        assert_eq!(role["PermissionsBoundary"], boundary, "{name}");
    }
}

#[test]
fn each_policy_is_attached_only_to_its_functions_role() {
    let policies = properties("AWS::IAM::Policy");
    let expected = FUNCTIONS_WITH_POLICY.map(|function| format!("{function}Policy"));
    assert_eq!(policies.keys().copied().collect::<Vec<_>>(), expected);
    for function in FUNCTIONS_WITH_POLICY {
        let policy = policies[format!("{function}Policy").as_str()];
        assert_eq!(policy["Roles"], json!([{"Ref": role_of(function)}]), "{function}");
        assert!(policy.get("Users").is_none(), "{function}");
        assert!(policy.get("Groups").is_none(), "{function}");
    }
}

/// Lambda checks a role's permissions when it creates an event source mapping or configures a failure
/// destination.
#[test]
fn each_policy_exists_before_its_function() {
    for function in FUNCTIONS_WITH_POLICY {
        assert_eq!(TEMPLATE["Resources"][function]["DependsOn"], format!("{function}Policy"), "{function}");
    }
}

#[test]
fn function_roles_allow_access_only_to_named_resources() {
    for (function, _) in ROLES {
        let role = role_of(function);
        let properties = &TEMPLATE["Resources"][&role]["Properties"];
        assert!(properties.get("ManagedPolicyArns").is_none(), "{role}");
        for statement in statements(&TEMPLATE, &role) {
            assert!(statement.get("NotAction").is_none(), "{role}");
            assert!(statement.get("NotResource").is_none(), "{role}");
            let actions = strings(&statement["Action"]);
            assert!(!actions.iter().any(|action| action.contains('*')), "{role}: {actions:?}");
            assert!(!actions.iter().any(|action| action.contains("Scan")), "{role}: {actions:?}");
            let found = find_wildcards(&statement["Resource"]);
            if actions == ACTIONS_WITHOUT_RESOURCE {
                assert_eq!(found, ["*"], "{role}");
            } else {
                assert!(found.iter().all(|resource| WILDCARDS.contains(resource)), "{role}: {found:?}");
            }
        }
    }
}

/// What an event source mapping needs to read a stream.
const STREAM_ACTIONS: [&str; 4] =
    ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"];

/// Only the sweeper writes to the share log, and it can neither change nor delete an entry's row.
#[test]
fn only_the_sweeper_writes_the_share_log() {
    let access = |function: &str| -> BTreeSet<&str> {
        let statements = statements(&TEMPLATE, &role_of(function)).into_iter();
        let of_log = statements.filter(|statement| refers_to(&statement["Resource"], "LogTable"));
        let actions = of_log.flat_map(|statement| strings(&statement["Action"]));
        // The event source mapping reads the log's stream with the sweeper's role.
        actions.filter(|action| function != "SweepShares" || !STREAM_ACTIONS.contains(action)).collect()
    };
    for (function, _) in ROLES {
        let expected: &[&str] = match function {
            // It also removes entries about people who were erased.
            "SweepShares" => &["dynamodb:DeleteItem", "dynamodb:PutItem"],
            "ManageShares" => &["dynamodb:Query"],
            _ => &[],
        };
        assert_eq!(access(function), expected.iter().copied().collect(), "{function}");
    }
}

/// Only the function on the table's stream makes notices: no request alone can cause an email to a sharer.
#[test]
fn only_the_sweeper_and_the_sender_write_notices() {
    for (function, _) in ROLES {
        let mut writers = statements(&TEMPLATE, &role_of(function)).into_iter().filter(|statement| {
            let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            statement["Effect"] == "Allow"
                && keys.as_array().is_some_and(|keys| keys.contains(&json!("NOTICES#*")))
        });
        let is_writer = ["NotifyRecipients", "SweepShares"].contains(&function);
        assert_eq!(writers.next().is_some(), is_writer, "{function}");
        let denies = statements(&TEMPLATE, &role_of(function)).into_iter().filter(|statement| {
            statement["Effect"] == "Deny" && strings(&statement["Action"]).contains(&"dynamodb:UpdateItem")
        });
        for deny in denies.filter(|_| !is_writer) {
            let keys = &deny["Condition"]["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"];
            assert!(keys.as_array().unwrap().contains(&json!("NOTICES#*")), "{function}");
        }
    }
}

/// Only operators switch sharing off and on.
#[test]
fn no_function_writes_the_switches() {
    const WRITES: [&str; 3] = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];
    for (function, _) in ROLES {
        let statements = statements(&TEMPLATE, &role_of(function));
        let of_table: Vec<&Value> =
            statements.into_iter().filter(|statement| refers_to(&statement["Resource"], "Table")).collect();
        let has_key = |statement: &Value, operator: &str, is_expected: fn(&str) -> bool| {
            let keys = &statement["Condition"][operator]["dynamodb:LeadingKeys"];
            keys.as_array().is_some_and(|keys| keys.iter().any(|key| is_expected(key.as_str().unwrap())))
        };
        for write in WRITES {
            let of = |effect: &str| {
                let effect = effect.to_owned();
                of_table.iter().filter(move |statement| {
                    statement["Effect"] == effect && strings(&statement["Action"]).contains(&write)
                })
            };
            let is_denied =
                of("Deny").any(|deny| has_key(deny, "ForAnyValue:StringLike", |key| key == "SWITCHES"));
            for allow in of("Allow") {
                let is_limited = has_key(allow, "ForAllValues:StringLike", |_| true);
                let includes = has_key(allow, "ForAllValues:StringLike", |key| !key.ends_with("#*"));
                assert!(is_denied || (is_limited && !includes), "{function}: {write}");
            }
        }
    }
}

#[test]
fn functions_reach_only_the_keys_below_the_files_prefix() {
    for (function, _) in ROLES {
        for statement in statements(&TEMPLATE, &role_of(function)) {
            let is_of_archives = refers_to(&statement["Resource"], "ArchiveBucket");
            let pattern = match statement["Action"].as_str() {
                // No function lists archives, and archive-files lists no files either.
                Some("s3:ListBucket") if is_of_archives => {
                    assert_eq!(statement["Condition"], json!({"Null": {"s3:prefix": "true"}}));
                    continue;
                }
                _ if is_of_archives => continue,
                Some("s3:GetObject") => &statement["Resource"]["Fn::Sub"][1]["Pattern"],
                Some("s3:ListBucket") => {
                    &statement["Condition"]["StringLikeIfExists"]["s3:prefix"]["Fn::Sub"][1]["Pattern"]
                }
                _ => continue,
            };
            assert_eq!(*pattern, files_pattern(), "{function}");
        }
    }
}

#[test]
fn optional_permissions_depend_on_their_parameter() {
    let optional = [
        ("CreateShares", "lambda:InvokeFunction", "HasItemResolver"),
        ("ManageShares", "lambda:InvokeFunction", "HasItemResolver"),
        ("ArchiveFiles", "kms:Decrypt", "HasFilesKmsKey"),
        ("RedeemLink", "kms:Decrypt", "HasFilesKmsKey"),
        ("SweepShares", "events:DescribeEventBus", "HasEventBus"),
        ("SweepShares", "events:PutEvents", "HasEventBus"),
    ];
    for (function, action, condition) in optional {
        let policy = &properties("AWS::IAM::Policy")[format!("{function}Policy").as_str()]["PolicyDocument"];
        let statements = list(&policy["Statement"]);
        let mut optional = statements.iter().filter(|statement| statement.get("Fn::If").is_some());
        let statement = optional.find(|branches| strings(&branches["Fn::If"][1]["Action"]).contains(&action));
        assert_eq!(statement.unwrap()["Fn::If"][0], condition, "{function}");
    }
}

/// A compromised sweeper can neither reach another bus nor pose as another source.
#[test]
fn sweeper_publishes_only_its_source_to_one_bus() {
    let statements = statements(&TEMPLATE, "SweepSharesRole");
    let of_events = |action| {
        let found = statements.iter().filter(|statement| statement["Action"] == action).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{action}");
        found[0]
    };
    let bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}";
    for action in ["events:PutEvents", "events:DescribeEventBus"] {
        assert_eq!(of_events(action)["Resource"], json!({"Fn::Sub": bus}), "{action}");
    }
    let condition = json!({"StringEquals": {"events:source": "sharelink"}});
    assert_eq!(of_events("events:PutEvents")["Condition"], condition);
}

#[test]
fn resource_policies_only_deny() {
    for resource_type in ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"] {
        for (name, policy) in properties(resource_type) {
            for statement in list(&policy["PolicyDocument"]["Statement"]) {
                assert_eq!(statement["Effect"], "Deny", "{name}");
                assert_ne!(statement["Resource"], "*", "{name}");
            }
        }
    }
}

/// Checks the deployed template, to which both transforms have been applied.
#[tokio::test]
async fn transforms_add_no_permissions() {
    let stack = Stack::get().await;
    let template = deployed_template(&stack).await;
    for (function, listed) in ROLES {
        let role = role_of(function);
        assert_eq!(actions(&template, &role), expected_actions(listed), "{function}");
        let properties = &template["Resources"][&role]["Properties"];
        assert!(properties.get("ManagedPolicyArns").is_none(), "{function}");
    }
    // `DeploymentRole` is conditional, and may or may not be in the emulator's template, so ignore it.
    let mut roles: Vec<&str> = resources(&template, "AWS::IAM::Role").into_keys().collect();
    roles.retain(|role| *role != "DeploymentRole");
    assert_eq!(roles, ROLES.map(|(function, _)| role_of(function)));
    let policies = resources(&template, "AWS::IAM::Policy").into_keys().collect::<Vec<_>>();
    assert_eq!(policies, FUNCTIONS_WITH_POLICY.map(|function| format!("{function}Policy")));
    let has_managed_policy = template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .any(|resource| resource["Type"] == "AWS::IAM::ManagedPolicy");
    assert!(!has_managed_policy, "functions must not share a managed policy");
}

#[tokio::test]
async fn deployed_functions_keep_their_settings() {
    let stack = Stack::get().await;
    let template = deployed_template(&stack).await;
    let functions = resources(&template, "AWS::Lambda::Function");
    assert_eq!(functions.len(), ROLES.len());
    for (name, function) in functions {
        let properties = &function["Properties"];
        assert_eq!(properties["TracingConfig"], json!({"Mode": "Active"}), "{name}");
        assert_eq!(properties["Role"]["Fn::GetAtt"][0], format!("{name}Role"), "{name}");
        assert_eq!(properties["LoggingConfig"]["LogGroup"], json!({"Ref": format!("{name}Logs")}), "{name}");
        let stack_name = &properties["Environment"]["Variables"]["STACK_NAME"];
        assert_eq!(stack_name, &json!({"Ref": "AWS::StackName"}), "{name}");
    }
}

/// Fetches the deployed stack's template, to which all transforms have been applied.
pub(super) async fn deployed_template(stack: &Stack) -> Value {
    let name = Aws::new(stack).function_environment("NotifyRecipients").await["STACK_NAME"].clone();
    let url = format!(
        "{}/?Action=GetTemplate&Version=2010-05-15&StackName={name}&TemplateStage=Processed",
        stack.info.aws_endpoint_url
    );
    let response = Aws::new(stack).send("cloudformation", stack.client.get(url)).await;
    let xml = response.error_for_status().unwrap().text().await.unwrap();
    let body = xml.split("<TemplateBody>").nth(1).unwrap().split("</TemplateBody>").next().unwrap();
    serde_json::from_str(&unescape_xml(body)).unwrap()
}

fn unescape_xml(escaped: &str) -> String {
    let entities = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(escaped.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
