//! What the template promises: who may do what, what is encrypted, kept and watched, and what nobody tracks.
//!
//! `ROLES` is a second opinion on purpose: whoever gives a function an action has to say so twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use serde_saphyr::Tagged;

use crate::support::{Aws, Stack};

const README: &str = include_str!("../../README.md");
const SAMCONFIG: &str = include_str!("../../samconfig.toml");

/// Every action of each function's role; `-` is one that is denied, for some rows.
const ROLES: [(&str, &[&str]); 7] = [
    (
        "CreateShares",
        &[
            "-dynamodb:PutItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "s3:GetObject",
            "s3:ListBucket",
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
            "-dynamodb:UpdateItem",
            "dynamodb:DescribeStream",
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
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
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

/// X-Ray has no resources that a statement could name.
const OF_NO_RESOURCE: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];

/// All other resources that a role names with a wildcard.
const WILDCARDS: [&str; 3] = [
    "${FilesBucket.Arn}/*",
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",
    "${Table.Arn}/stream/*",
];

/// The template, with `CloudFormation`'s short tags written out: `!Ref a` is `{"Ref": "a"}`.
static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str::<Node>(include_str!("../../infra/template.yaml")).expect("a template").0
});

struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Plain(value), tag) = Tagged::<Plain>::deserialize(deserializer)?;
        let Some(function) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')) else {
            return Ok(Self(value));
        };
        Ok(Self(match function {
            "Ref" | "Condition" => json!({function: value}),
            _ => json!({format!("Fn::{function}"): value}),
        }))
    }
}

struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Self)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Node(value)) = parts.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((name, Node(value))) = parts.next_entry()? {
            values.insert(name, value);
        }
        Ok(values.into())
    }
}

/// The resources of a type, by their names.
fn resources(template: &'static Value, kind: &str) -> BTreeMap<&'static str, &'static Value> {
    let all = template["Resources"].as_object().unwrap().iter();
    let found: BTreeMap<_, _> =
        all.filter(|(_, r)| r["Type"] == kind).map(|(n, r)| (n.as_str(), r)).collect();
    assert!(!found.is_empty(), "no {kind}");
    found
}

fn properties(kind: &str) -> impl Iterator<Item = (&'static str, &'static Value)> {
    resources(&TEMPLATE, kind).into_iter().map(|(name, resource)| (name, &resource["Properties"]))
}

/// One or several.
fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

fn texts(value: &Value) -> Vec<&str> {
    list(value).into_iter().map(|value| value.as_str().unwrap()).collect()
}

/// The statements of a function's role.
fn statements(role: &Value) -> Vec<&Value> {
    let policies = role["Properties"]["Policies"].as_array().unwrap();
    policies.iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"])).collect()
}

/// What a role may do, in the words of `ROLES`.
fn actions(role: &Value) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for statement in statements(role) {
        let sign = if statement["Effect"] == "Deny" { "-" } else { "" };
        actions.extend(texts(&statement["Action"]).iter().map(|action| format!("{sign}{action}")));
    }
    actions
}

/// Whether a condition or a value refers to a resource or a parameter.
fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| mentions(value, name)),
        Value::Object(values) => values.iter().any(|(key, value)| match key.as_str() {
            "Ref" => value == name,
            "Fn::GetAtt" => {
                value.as_str().is_some_and(|value| value.split('.').next() == Some(name)) || value[0] == name
            }
            "Fn::Sub" => value.as_str().is_some_and(|text| {
                text.contains(&format!("${{{name}}}")) || text.contains(&format!("${{{name}."))
            }),
            _ => mentions(value, name),
        }),
        _ => false,
    }
}

fn functions() -> BTreeMap<&'static str, &'static Value> {
    properties("AWS::Serverless::Function").collect()
}

/// The texts with a wildcard, however deep in functions of `CloudFormation`.
fn wildcards(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.contains('*').then_some(text.as_str()).into_iter().collect(),
        Value::Array(values) => values.iter().flat_map(wildcards).collect(),
        Value::Object(values) => values.values().flat_map(wildcards).collect(),
        _ => vec![],
    }
}

#[test]
fn each_role_may_do_exactly_this() {
    let roles = resources(&TEMPLATE, "AWS::IAM::Role");
    assert_eq!(functions().into_keys().collect::<Vec<_>>(), ROLES.map(|(function, _)| function));
    for (function, expected) in ROLES {
        let role = format!("{function}Role");
        assert_eq!(functions()[function]["Role"], json!({"Fn::GetAtt": format!("{role}.Arn")}));
        let expected: BTreeSet<String> = expected.iter().map(|&action| action.to_owned()).collect();
        assert_eq!(actions(roles[role.as_str()]), expected, "{function}");
    }
    // One more role is CodeDeploy's.
    assert_eq!(roles.len(), ROLES.len() + 1);
    let deployment = roles["DeploymentRole"];
    let service = &deployment["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"];
    assert_eq!(service, &json!({"Service": "codedeploy.amazonaws.com"}));
}

#[test]
fn no_role_reaches_beyond_what_it_names() {
    for (name, role) in resources(&TEMPLATE, "AWS::IAM::Role") {
        if name == "DeploymentRole" {
            continue;
        }
        assert!(role["Properties"].get("ManagedPolicyArns").is_none(), "{name}");
        for statement in statements(role) {
            assert!(statement.get("NotAction").is_none() && statement.get("NotResource").is_none(), "{name}");
            let actions = texts(&statement["Action"]);
            assert!(!actions.iter().any(|a| a.contains('*') || a.contains("Scan")), "{name}: {actions:?}");
            let wide = wildcards(&statement["Resource"]);
            if actions == OF_NO_RESOURCE {
                assert_eq!(wide, ["*"], "{name}");
            } else {
                assert!(wide.iter().all(|resource| WILDCARDS.contains(resource)), "{name}: {wide:?}");
            }
        }
    }
    for kind in ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"] {
        for (name, policy) in properties(kind) {
            let statements = list(&policy["PolicyDocument"]["Statement"]);
            // They take away, and give nothing.
            assert!(statements.iter().all(|s| s["Effect"] == "Deny" && s["Resource"] != "*"), "{name}");
        }
    }
}

/// Whatever SAM makes of the template.
#[tokio::test]
async fn sam_adds_nothing_to_the_roles() {
    let stack = Stack::get().await;
    let template = deployed(&stack).await;
    let all = |kind: &'static str| {
        template["Resources"].as_object().unwrap().iter().filter(move |(_, r)| r["Type"] == kind)
    };
    let roles: BTreeMap<_, _> = all("AWS::IAM::Role").map(|(name, role)| (name.as_str(), role)).collect();
    for (function, expected) in ROLES {
        let role = roles[format!("{function}Role").as_str()];
        let expected: BTreeSet<String> = expected.iter().map(|&action| action.to_owned()).collect();
        assert_eq!(actions(role), expected, "{function}");
        assert!(role["Properties"].get("ManagedPolicyArns").is_none(), "{function}");
    }
    assert!(all("AWS::IAM::Policy").chain(all("AWS::IAM::ManagedPolicy")).next().is_none());
    assert!(roles.keys().all(|name| name.ends_with("Role") && *name != "CodeDeployServiceRole"), "{roles:?}");
    let functions: Vec<_> = all("AWS::Lambda::Function").collect();
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

/// The template of the deployed stack, after SAM's transformation.
async fn deployed(stack: &Stack) -> Value {
    let name = Aws::new(stack).function_environment("NotifyRecipients").await["STACK_NAME"].clone();
    let question = format!(
        "{}/?Action=GetTemplate&Version=2010-05-15&StackName={name}&TemplateStage=Processed",
        stack.info.aws_endpoint_url
    );
    let scope = format!("test/20260101/{}/cloudformation/aws4_request", stack.info.region);
    let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    let asked = stack.client.get(question).header("Authorization", authorization).send().await.unwrap();
    let response = asked.error_for_status().unwrap().text().await.unwrap();
    let body = response.split("<TemplateBody>").nth(1).unwrap().split("</TemplateBody>").next().unwrap();
    let mut body = body.to_owned();
    for (escaped, plain) in [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        body = body.replace(escaped, plain);
    }
    serde_json::from_str(&body).unwrap()
}

#[test]
fn every_log_group_ends_and_every_function_has_one() {
    let groups: BTreeMap<_, _> = properties("AWS::Logs::LogGroup").collect();
    for (name, group) in &groups {
        assert_eq!(group["RetentionInDays"], json!({"Ref": "FunctionLogRetentionDays"}), "{name}");
        assert!(group.get("LogGroupName").is_none(), "{name}: an update or another stack may meet one");
    }
    for (name, function) in functions() {
        let own = format!("{name}Logs");
        assert!(groups.contains_key(own.as_str()), "{own}");
        assert_eq!(function["LoggingConfig"]["LogGroup"], json!({"Ref": own}), "{name}");
    }
    assert_eq!(groups.len(), functions().len() + 1);
}

#[test]
fn what_is_kept_is_encrypted_and_not_deleted_by_mistake() {
    for kind in
        ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SecretsManager::Secret"]
    {
        for (name, resource) in resources(&TEMPLATE, kind) {
            assert_eq!(resource["DeletionPolicy"], "Retain", "{name}");
            assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
        }
    }
    for (name, table) in properties("AWS::DynamoDB::Table") {
        assert_eq!(table["SSESpecification"]["SSEEnabled"], true, "{name}");
        assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{name}");
        assert_eq!(table["DeletionProtectionEnabled"], true, "{name}");
    }
    for (name, bucket) in properties("AWS::S3::Bucket") {
        let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
        assert_eq!(encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256", "{name}");
        let blocked = bucket["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert!(blocked.len() == 4 && blocked.values().all(|value| value == true), "{name}");
        let mut policies = properties("AWS::S3::BucketPolicy");
        let policy = policies.find(|(_, policy)| mentions(&policy["Bucket"], name)).unwrap().1;
        let arn = json!({"Fn::GetAtt": format!("{name}.Arn")});
        let objects = json!({"Fn::Sub": format!("${{{name}.Arn}}/*")});
        let old_signatures = json!({
            "ArnEquals": {"aws:PrincipalArn": {"Fn::GetAtt": "RedeemLinkRole.Arn"}},
            "NumericGreaterThan": {"s3:signatureAge": "65000"},
        });
        let expected = [
            ("s3:*", json!([arn, objects]), without_tls()),
            ("s3:DeleteBucket", arn, Value::Null),
            ("s3:GetObject", objects, old_signatures),
        ];
        assert_denied(policy, "PolicyDocument", &expected);
    }
    for (name, queue) in properties("AWS::SQS::Queue") {
        assert_eq!(queue["SqsManagedSseEnabled"], true, "{name}");
        let mut policies = properties("AWS::SQS::QueuePolicy");
        let policy = policies.find(|(_, policy)| policy["Queues"] == json!([{"Ref": name}])).unwrap().1;
        let arn = json!({"Fn::GetAtt": format!("{name}.Arn")});
        assert_denied(policy, "PolicyDocument", &[("sqs:*", arn, without_tls())]);
    }
    for (name, _) in properties("AWS::SecretsManager::Secret") {
        let mut policies = properties("AWS::SecretsManager::ResourcePolicy");
        let policy = policies.find(|(_, policy)| mentions(&policy["SecretId"], name)).unwrap().1;
        assert_eq!(policy["BlockPublicPolicy"], true, "{name}");
        let secret = json!({"Ref": name});
        assert_denied(policy, "ResourcePolicy", &[("secretsmanager:DeleteSecret", secret, Value::Null)]);
    }
}

fn without_tls() -> Value {
    json!({"Bool": {"aws:SecureTransport": "false"}})
}

/// A resource's policy denies this to everybody and nothing else: actions, on which resources, under which condition.
fn assert_denied(policy: &Value, document: &str, expected: &[(&str, Value, Value)]) {
    let statements = list(&policy[document]["Statement"]);
    assert_eq!(statements.len(), expected.len(), "{policy}");
    for (statement, (action, resource, condition)) in statements.into_iter().zip(expected) {
        assert_eq!((&statement["Effect"], &statement["Principal"]), (&json!("Deny"), &json!("*")));
        assert_eq!(texts(&statement["Action"]), [*action]);
        assert_eq!((&statement["Resource"], &statement["Condition"]), (resource, condition));
    }
}

#[test]
fn every_alarm_tells_somebody() {
    for (name, alarm) in properties("AWS::CloudWatch::Alarm") {
        let actions = json!({"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]});
        assert_eq!(alarm["AlarmActions"], actions, "{name}");
        assert!(name.ends_with("Alarm") && alarm.get("TreatMissingData").is_some(), "{name}");
    }
}

#[test]
fn every_route_has_a_throttle() {
    let mut routes = BTreeSet::new();
    for (_, function) in functions() {
        for event in
            function["Events"].as_object().unwrap().values().filter(|event| event["Type"] == "HttpApi")
        {
            let text = |name: &str| event["Properties"][name].as_str().unwrap();
            routes.insert(format!("{} {}", text("Method"), text("Path")));
        }
    }
    assert!(routes.len() > 10, "{routes:?}");
    for (name, api) in properties("AWS::Serverless::HttpApi") {
        let settings = api["RouteSettings"].as_object().unwrap();
        assert_eq!(settings.keys().cloned().collect::<BTreeSet<_>>(), routes, "{name}");
        for (route, settings) in settings.iter().chain([(&String::new(), &api["DefaultRouteSettings"])]) {
            for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
                assert!(
                    settings[limit].is_number() || settings[limit]["Ref"].is_string(),
                    "{route}: {limit}"
                );
            }
        }
    }
}

/// Tracking would rewrite the links, and lead every recipient through somebody else's host.
#[test]
fn no_email_is_tracked() {
    for (name, set) in properties("AWS::SES::ConfigurationSet") {
        assert!(set.get("TrackingOptions").is_none(), "{name}");
        let vdm = &set["VdmOptions"];
        assert_eq!(vdm["DashboardOptions"]["EngagementMetrics"], "DISABLED", "{name}");
        // It speeds up delivery by what recipients open.
        assert!(vdm.get("GuardianOptions").is_none(), "{name}");
        assert_eq!(set["DeliveryOptions"]["TlsPolicy"], "REQUIRE", "{name}");
    }
    for (name, destination) in properties("AWS::SES::ConfigurationSetEventDestination") {
        let types = texts(&destination["EventDestination"]["MatchingEventTypes"]);
        assert_eq!(types, ["DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"], "{name}");
    }
}

#[test]
fn every_parameter_is_in_the_readme() {
    for name in TEMPLATE["Parameters"].as_object().unwrap().keys() {
        let row = README.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
        assert!(row.is_some(), "{name}");
    }
}

/// SAM publishes a version when the template changes, not when a parameter does; so the version has to mention the
/// parameters itself. A parameter that it mentions in vain would have nothing to publish, and end the deployment.
#[test]
fn a_changed_parameter_makes_a_new_version() {
    assert_eq!(TEMPLATE["Globals"]["Function"]["AutoPublishAlias"], "live");
    let parameters: Vec<_> = TEMPLATE["Parameters"].as_object().unwrap().iter().collect();
    for (name, function) in functions() {
        assert_eq!(function["AutoPublishAliasAllProperties"], true, "{name}");
        let mut longest = 0;
        for (parameter, definition) in &parameters {
            let used = mentions(&function["Environment"], parameter);
            assert_eq!(used, mentions(&function["VersionDescription"], parameter), "{name}: {parameter}");
            if used {
                // The digits of the largest number, or the characters of the longest text; and a space.
                let length = definition["MaxValue"].as_u64().map(|max| max.to_string().len() as u64);
                longest +=
                    1 + length.or(definition["MaxLength"].as_u64()).unwrap_or_else(|| panic!("{parameter}"));
            }
        }
        assert!(longest <= 256, "{name}: a version's description may have 256 characters, and not {longest}");
    }
}

#[test]
fn a_canary_is_watched_by_its_own_alarms() {
    let preference = &TEMPLATE["Globals"]["Function"]["DeploymentPreference"];
    assert_eq!(preference["Enabled"], json!({"Ref": "CanaryDeployments"}));
    assert_eq!(preference["Type"], "Canary10Percent10Minutes");
    let alarms: BTreeMap<_, _> = properties("AWS::CloudWatch::Alarm").collect();
    for (name, function) in functions() {
        let own = format!("{name}FailingAlarm");
        if function["DeploymentPreference"]["Enabled"] != false {
            let watched = list(&function["DeploymentPreference"]["Alarms"]);
            assert!(watched.contains(&&json!({"Ref": own})), "{name}");
            assert!(
                watched.iter().all(|alarm| alarms.contains_key(alarm["Ref"].as_str().unwrap())),
                "{name}"
            );
        }
        assert_eq!(
            alarms[own.as_str()]["Dimensions"],
            json!([{"Name": "FunctionName", "Value": {"Ref": name}}])
        );
    }
    let with_canaries: Vec<_> = SAMCONFIG
        .split("\n[")
        .filter(|section| section.contains("\"CanaryDeployments=true\""))
        .map(|section| section.split('.').next().unwrap())
        .collect();
    assert_eq!(with_canaries, ["prod"]);
}

#[test]
fn the_dashboard_shows_every_metric() {
    for (name, dashboard) in properties("AWS::CloudWatch::Dashboard") {
        let body: Value =
            serde_json::from_str(dashboard["DashboardBody"]["Fn::Sub"].as_str().unwrap()).unwrap();
        let widgets = body["widgets"].as_array().unwrap();
        let shown =
            widgets.iter().map(|widget| widget["properties"]["metrics"].to_string()).collect::<String>();
        for (metric, dimension) in [
            ("Shares", "Outcome"),
            ("Opens", ""),
            ("Downloads", ""),
            ("Refusals", "Reason"),
            ("Problems", "Type"),
            ("Emails", "Outcome"),
            ("EmailsPutOff", "Reason"),
            ("LongestOverdue", ""),
            ("EmailReports", "Event"),
            ("CallDuration", "Service"),
            ("CallFailures", "Service"),
            ("ColdStarts", "Function"),
        ] {
            let found = if dimension.is_empty() {
                shown.contains(&format!(r#"["Sharelink","{metric}","Stack","${{AWS::StackName}}""#))
            } else {
                widgets.iter().any(|widget| {
                    let text =
                        widget["properties"]["metrics"][0][0]["expression"].as_str().unwrap_or_default();
                    text.contains(&format!("{{Sharelink,Stack,{dimension}}}"))
                        && text.contains(&format!("MetricName=\"{metric}\""))
                })
            };
            assert!(found, "{name}: {metric}");
        }
        for namespace in ["AWS/ApiGateway", "AWS/Lambda", "AWS/DynamoDB", "AWS/SES", "AWS/SQS"] {
            assert!(shown.contains(namespace), "{name}: {namespace}");
        }
    }
}
