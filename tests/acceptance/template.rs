//! Guarantees that the template must provide: permissions, encryption, retention, alarms, throttling, and
//! email without tracking.

mod deployer;
mod distribution;
mod document;
mod parameters;
mod roles;

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub(crate) use document::alarms;
use document::{TEMPLATE, functions, list, properties, refers_to, resources, strings};

const SAMCONFIG: &str = include_str!("../../samconfig.toml");

/// The routes whose throttle differs from the default. Like `ROLES`, this list deliberately repeats the
/// template, so that every change takes two edits.
const THROTTLES: [(&str, Limit); 24] = [
    ("GET /modules/{module}/items/{item}/share-permission", Limit::Parameter("RevocationsPerSecond")),
    ("GET /modules/{module}/items/{item}/shares", Limit::Parameter("RevocationsPerSecond")),
    ("GET /problems/{problem}", Limit::Rate(10)),
    ("GET /s/{proxy+}", Limit::Parameter("RedemptionsPerSecond")),
    ("GET /s/{token}", Limit::Parameter("RedemptionsPerSecond")),
    ("GET /s/{token}/archive", Limit::Parameter("RedemptionsPerSecond")),
    ("GET /s/{token}/emails", Limit::Parameter("RedemptionsPerSecond")),
    ("GET /s/{token}/files/{n}", Limit::Parameter("RedemptionsPerSecond")),
    ("GET /ui/{version}/{file}", Limit::Rate(200)),
    ("HEAD /s/{proxy+}", Limit::Parameter("RedemptionsPerSecond")),
    ("HEAD /s/{token}", Limit::Parameter("RedemptionsPerSecond")),
    ("HEAD /s/{token}/archive", Limit::Parameter("RedemptionsPerSecond")),
    ("HEAD /s/{token}/emails", Limit::Rate(20)),
    ("HEAD /s/{token}/files/{n}", Limit::Parameter("RedemptionsPerSecond")),
    ("POST /modules/{module}/items/{item}/shares", Limit::Parameter("CreatesPerSecond")),
    ("POST /modules/{module}/items/{item}/shares/{shareId}/link", Limit::Parameter("CreatesPerSecond")),
    ("POST /modules/{module}/items/{item}/shares/{shareId}/renew", Limit::Parameter("CreatesPerSecond")),
    ("POST /modules/{module}/items/{item}/shares/{shareId}/resend", Limit::Parameter("CreatesPerSecond")),
    ("POST /modules/{module}/items/{item}/shares/{shareId}/revoke", Limit::Parameter("RevocationsPerSecond")),
    ("POST /s/{proxy+}", Limit::Rate(20)),
    ("POST /s/{token}/emails/allow", Limit::Rate(20)),
    ("POST /s/{token}/emails/stop", Limit::Rate(20)),
    ("POST /s/{token}/more-time", Limit::Rate(20)),
    ("POST /share-permissions", Limit::Parameter("RevocationsPerSecond")),
];

/// A limit in requests per second.
#[derive(Clone, Copy)]
enum Limit {
    Rate(u64),
    Parameter(&'static str),
}

impl From<Limit> for Value {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Rate(rate) => rate.into(),
            Limit::Parameter(name) => json!({"Ref": name}),
        }
    }
}

fn arn_of(resource: &str) -> Value {
    json!({"Fn::GetAtt": format!("{resource}.Arn")})
}

#[test]
fn every_log_group_has_a_retention_and_a_unique_name() {
    for (name, group) in properties("AWS::Logs::LogGroup") {
        assert_eq!(group["RetentionInDays"], json!({"Ref": "FunctionLogRetentionDays"}), "{name}");
        let has_generated_name = group.get("LogGroupName").is_none();
        assert!(has_generated_name || refers_to(&group["LogGroupName"], "AWS::StackName"), "{name}");
    }
}

/// API Gateway adds any other group to the account's resource policy for log delivery, which has a maximum
/// length (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html>).
#[test]
fn access_log_group_has_the_vended_logs_prefix() {
    let name = &properties("AWS::Logs::LogGroup")["ApiLogs"]["LogGroupName"]["Fn::Sub"];
    assert!(name.as_str().unwrap().starts_with("/aws/vendedlogs/"), "{name}");
}

#[test]
fn every_function_has_its_own_log_group() {
    let mut expected: BTreeSet<String> = functions().keys().map(|name| format!("{name}Logs")).collect();
    expected.insert("ApiLogs".to_owned());
    let groups = properties("AWS::Logs::LogGroup").into_keys().map(str::to_owned);
    assert_eq!(groups.collect::<BTreeSet<_>>(), expected);
    for (name, function) in functions() {
        assert_eq!(function["LoggingConfig"]["LogGroup"], json!({"Ref": format!("{name}Logs")}), "{name}");
    }
}

#[test]
fn stored_data_outlives_the_stack() {
    for resource_type in
        ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SecretsManager::Secret"]
    {
        let mut resources = resources(&TEMPLATE, resource_type);
        // No data depends on this secret.
        resources.remove("OriginSecret");
        for (name, resource) in resources {
            assert_eq!(resource["DeletionPolicy"], "Retain", "{name}");
            assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
        }
    }
}

#[test]
fn table_is_encrypted_backed_up_and_protected() {
    for (name, table) in properties("AWS::DynamoDB::Table") {
        assert_eq!(table["SSESpecification"]["SSEEnabled"], true, "{name}");
        assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{name}");
        assert_eq!(table["DeletionProtectionEnabled"], true, "{name}");
        let ttl = json!({"AttributeName": "ttl", "Enabled": true});
        assert_eq!(table["TimeToLiveSpecification"], ttl, "{name}");
    }
}

/// A local index would limit an item's log to 10 GB. A recipient could then fill the log, and the sweeper
/// would fail to write later entries.
#[test]
fn share_log_has_a_table_without_indexes() {
    let table = properties("AWS::DynamoDB::Table")["LogTable"];
    assert!(table.get("LocalSecondaryIndexes").is_none());
    assert!(table.get("GlobalSecondaryIndexes").is_none());
}

#[test]
fn bucket_is_encrypted_and_private() {
    for (name, bucket) in properties("AWS::S3::Bucket") {
        let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
        let branches = &encryption["ServerSideEncryptionByDefault"]["Fn::If"];
        assert_eq!(branches[0], "HasFilesKmsKey", "{name}");
        assert_eq!(branches[1]["KMSMasterKeyID"], json!({"Ref": "FilesKmsKeyArn"}), "{name}");
        assert_eq!(branches[2]["SSEAlgorithm"], "AES256", "{name}");
        let blocks = bucket["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert_eq!(blocks.len(), 4, "{name}");
        assert!(blocks.values().all(|value| value == true), "{name}");
    }
}

#[test]
fn bucket_policy_denies_plain_http_deletion_and_old_urls() {
    for (name, _) in properties("AWS::S3::Bucket") {
        let objects = json!({"Fn::Sub": format!("${{{name}.Arn}}/*")});
        let is_old = json!({
            "ArnEquals": {"aws:PrincipalArn": arn_of("RedeemLinkRole")},
            "NumericGreaterThan": {"s3:signatureAge": "65000"},
        });
        let policy = policy_of("AWS::S3::BucketPolicy", "Bucket", name);
        let mut denials = vec![
            Denial { action: "s3:*", resource: json!([arn_of(name), objects]), condition: without_tls() },
            Denial { action: "s3:DeleteBucket", resource: arn_of(name), condition: Value::Null },
            Denial { action: "s3:GetObject", resource: objects, condition: is_old },
        ];
        if name == "ArchiveBucket" {
            // Nothing is lost with archives.
            denials.remove(1);
        }
        assert_denies_only(&policy["PolicyDocument"], &denials);
    }
}

/// A crash may leave parts of an archive behind, which cost as much as the archive.
#[test]
fn archives_and_abandoned_uploads_are_deleted_after_a_day() {
    let rules = &properties("AWS::S3::Bucket")["ArchiveBucket"]["LifecycleConfiguration"]["Rules"];
    assert_eq!(rules.as_array().unwrap().len(), 1);
    assert_eq!(rules[0]["Status"], "Enabled");
    assert!(rules[0].get("Prefix").is_none() && rules[0].get("Filter").is_none(), "applies to all objects");
    assert_eq!(rules[0]["ExpirationInDays"], 1);
    assert_eq!(rules[0]["AbortIncompleteMultipartUpload"], json!({"DaysAfterInitiation": 1}));
}

/// The queue must not deliver a message again while a run works on it, and a message must not outlive its
/// order.
#[test]
fn archive_queue_outwaits_a_run_and_moves_failures() {
    let queue = properties("AWS::SQS::Queue")["ArchiveQueue"];
    let function = functions()["ArchiveFiles"];
    assert!(queue["VisibilityTimeout"].as_u64() > function["Timeout"].as_u64());
    assert_eq!(queue["MessageRetentionPeriod"], 86_400);
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], arn_of("ArchiveFailures"));
    let mapping = &function["Events"]["Orders"]["Properties"];
    assert_eq!(mapping["Queue"], arn_of("ArchiveQueue"));
    assert_eq!(mapping["BatchSize"], 1);
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], json!({"Ref": "ArchiveConcurrency"}));
}

#[test]
fn existing_buckets_statement_equals_the_own_buckets() {
    let output = &TEMPLATE["Outputs"]["FilesBucketPolicyStatement"]["Value"]["Fn::Sub"];
    let text = output
        .as_str()
        .unwrap()
        .replace("${RedeemLinkRole.Arn}", "ROLE")
        .replace("arn:${AWS::Partition}:s3:::${ExistingFilesBucket}", "BUCKET");
    let mut own =
        policy_of("AWS::S3::BucketPolicy", "Bucket", "FilesBucket")["PolicyDocument"]["Statement"][2].clone();
    own["Resource"] = "BUCKET/*".into();
    own["Condition"]["ArnEquals"]["aws:PrincipalArn"] = "ROLE".into();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), own);
}

/// Other senders may use the identity. If the first deployment fails, a retained identity would block the
/// next one, because its name is not generated.
#[test]
fn email_identity_outlives_the_stack_but_not_a_failed_creation() {
    for (name, identity) in resources(&TEMPLATE, "AWS::SES::EmailIdentity") {
        assert_eq!(identity["Condition"], "CreatesEmailIdentity", "{name}");
        assert_eq!(identity["DeletionPolicy"], "RetainExceptOnCreate", "{name}");
        assert_eq!(identity["UpdateReplacePolicy"], "Retain", "{name}");
    }
}

#[test]
fn failure_queues_are_encrypted_and_require_tls() {
    for (name, queue) in properties("AWS::SQS::Queue") {
        assert_eq!(queue["SqsManagedSseEnabled"], true, "{name}");
        let policy = policy_of("AWS::SQS::QueuePolicy", "Queues", name);
        assert_denies_only(
            &policy["PolicyDocument"],
            &[Denial { action: "sqs:*", resource: arn_of(name), condition: without_tls() }],
        );
    }
}

#[test]
fn key_ring_policy_denies_deletion() {
    let policy = policy_of("AWS::SecretsManager::ResourcePolicy", "SecretId", "KeyRing");
    assert_eq!(policy["BlockPublicPolicy"], true);
    let delete_secret = "secretsmanager:DeleteSecret";
    assert_denies_only(
        &policy["ResourcePolicy"],
        &[Denial { action: delete_secret, resource: json!({"Ref": "KeyRing"}), condition: Value::Null }],
    );
}

/// Returns the policy of the given type whose `property` refers to `resource`.
fn policy_of(policy_type: &str, property: &str, resource: &str) -> &'static Value {
    let mut policies = properties(policy_type).into_values();
    policies.find(|policy| refers_to(&policy[property], resource)).expect("the resource has a policy")
}

fn without_tls() -> Value {
    json!({"Bool": {"aws:SecureTransport": "false"}})
}

/// A statement that denies an action to every principal.
struct Denial {
    action: &'static str,
    resource: Value,
    condition: Value,
}

fn assert_denies_only(document: &Value, denials: &[Denial]) {
    let statements = list(&document["Statement"]);
    assert_eq!(statements.len(), denials.len(), "{document}");
    for (statement, denial) in statements.into_iter().zip(denials) {
        assert_eq!(statement["Effect"], "Deny");
        assert_eq!(statement["Principal"], "*");
        assert_eq!(strings(&statement["Action"]), [denial.action]);
        assert_eq!(statement["Resource"], denial.resource);
        assert_eq!(statement["Condition"], denial.condition);
    }
}

#[test]
fn every_alarm_notifies_the_topic() {
    let topic = json!({"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]});
    for (name, alarm) in alarms() {
        assert_eq!(alarm["AlarmActions"], topic, "{name}");
        assert!(alarm.get("TreatMissingData").is_some(), "{name}");
        assert!(name.ends_with("Alarm"), "{name}");
    }
}

#[test]
fn every_alarm_has_a_description() {
    for (name, alarm) in alarms() {
        assert!(alarm["AlarmDescription"].is_string(), "{name}");
    }
}

#[test]
fn default_throttle_uses_requests_per_second() {
    let limit: Value = Limit::Parameter("RequestsPerSecond").into();
    for (name, api) in properties("AWS::Serverless::HttpApi") {
        assert_eq!(api["DefaultRouteSettings"]["ThrottlingRateLimit"], limit, "{name}");
        assert_eq!(api["DefaultRouteSettings"]["ThrottlingBurstLimit"], limit, "{name}");
    }
}

#[test]
fn costly_and_public_routes_have_separate_throttles() {
    for (name, api) in properties("AWS::Serverless::HttpApi") {
        let settings = api["RouteSettings"].as_object().unwrap();
        let routes: BTreeSet<&str> = settings.keys().map(String::as_str).collect();
        assert_eq!(routes, BTreeSet::from(THROTTLES.map(|(route, _)| route)), "{name}");
        for (route, limit) in THROTTLES {
            assert_eq!(settings[route]["ThrottlingRateLimit"], Value::from(limit), "{route}");
            assert_eq!(settings[route]["ThrottlingBurstLimit"], Value::from(limit), "{route}");
        }
    }
}

/// The maximum requests per second to all APIs of an account in most regions (API Gateway quotas).
const ACCOUNT_QUOTA: u64 = 10_000;

/// Otherwise, a flood of one route could block the others.
#[test]
fn all_limits_together_are_below_the_accounts_quota() {
    let rate = |limit: Limit| match limit {
        Limit::Rate(rate) => rate,
        Limit::Parameter(name) => TEMPLATE["Parameters"][name]["Default"].as_u64().unwrap(),
    };
    let other_routes = (routes().len() - THROTTLES.len()) as u64;
    let other = other_routes * rate(Limit::Parameter("RequestsPerSecond"));
    let sum = THROTTLES.iter().map(|(_, limit)| rate(*limit)).sum::<u64>() + other;
    assert!(sum < ACCOUNT_QUOTA, "{sum}");
}

#[test]
fn every_throttle_belongs_to_a_route() {
    let routes = routes();
    for (route, _) in THROTTLES {
        assert!(routes.contains(route), "{route} is missing from {routes:?}");
    }
}

/// Returns every API route, such as `GET /s/{token}`.
fn routes() -> BTreeSet<String> {
    let functions = functions().into_values();
    let events = functions.flat_map(|function| function["Events"].as_object().unwrap().values());
    events
        .filter(|event| event["Type"] == "HttpApi")
        .map(|event| {
            let property = |name: &str| event["Properties"][name].as_str().unwrap();
            format!("{} {}", property("Method"), property("Path"))
        })
        .collect()
}

/// Tracking would rewrite the links and route every recipient through a third-party host.
#[test]
fn email_is_not_tracked() {
    for (name, set) in properties("AWS::SES::ConfigurationSet") {
        assert!(set.get("TrackingOptions").is_none(), "{name}");
        let vdm = &set["VdmOptions"];
        assert_eq!(vdm["DashboardOptions"]["EngagementMetrics"], "DISABLED", "{name}");
        // Guardian optimizes delivery by tracking engagement.
        assert!(vdm.get("GuardianOptions").is_none(), "{name}");
    }
    for (name, destination) in properties("AWS::SES::ConfigurationSetEventDestination") {
        let types = strings(&destination["EventDestination"]["MatchingEventTypes"]);
        assert_eq!(types, ["DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"], "{name}");
    }
}

#[test]
fn email_requires_tls() {
    for (name, set) in properties("AWS::SES::ConfigurationSet") {
        assert_eq!(set["DeliveryOptions"]["TlsPolicy"], "REQUIRE", "{name}");
    }
}

/// The account's setting may be off, and would then apply.
#[test]
fn addresses_that_bounce_or_complain_get_no_more_email() {
    for (name, set) in properties("AWS::SES::ConfigurationSet") {
        let reasons = &set["SuppressionOptions"]["SuppressedReasons"];
        assert_eq!(*reasons, json!(["BOUNCE", "COMPLAINT"]), "{name}");
    }
}

#[test]
fn canary_shifts_a_tenth_for_ten_minutes() {
    let preference = &TEMPLATE["Globals"]["Function"]["DeploymentPreference"];
    assert_eq!(preference["Enabled"], json!({"Ref": "CanaryDeployments"}));
    assert_eq!(preference["Type"], "Canary10Percent10Minutes");
}

#[test]
fn canary_rolls_back_on_its_functions_alarms() {
    let alarms = alarms();
    for (name, function) in functions() {
        if function["DeploymentPreference"]["Enabled"] == false {
            continue;
        }
        let watched = list(&function["DeploymentPreference"]["Alarms"]);
        assert!(watched.contains(&&json!({"Ref": format!("{name}FailingAlarm")})), "{name}");
        for alarm in watched {
            assert!(alarms.contains_key(alarm["Ref"].as_str().unwrap()), "{name}: {alarm}");
        }
    }
}

#[test]
fn every_function_has_an_error_alarm() {
    let alarms = alarms();
    for (name, _) in functions() {
        let alarm = alarms[format!("{name}FailingAlarm").as_str()];
        assert_eq!(alarm["MetricName"], "Errors", "{name}");
        assert_eq!(alarm["Dimensions"], json!([{"Name": "FunctionName", "Value": {"Ref": name}}]), "{name}");
    }
}

#[test]
fn only_prod_deploys_with_canaries() {
    let environments: Vec<_> = SAMCONFIG
        .split("\n[")
        .filter(|section| section.contains("\"CanaryDeployments=true\""))
        .map(|section| section.split('.').next().unwrap())
        .collect();
    assert_eq!(environments, ["prod"]);
}

/// A pipeline can neither answer a question nor treat a deployment without changes as a failure.
#[test]
fn no_environment_needs_a_person_to_deploy() {
    for environment in ["local", "dev", "prod"] {
        let deploy = samconfig_section(&format!("{environment}.deploy.parameters"));
        assert!(deploy.contains("confirm_changeset = false"), "{environment}");
        assert!(deploy.contains("fail_on_empty_changeset = false"), "{environment}");
    }
}

/// SAM derives a version's logical ID from all of a function's properties, but Lambda publishes nothing if
/// only its tags changed.
#[test]
fn tags_belong_to_the_stack_and_not_to_the_functions() {
    for environment in ["dev", "prod"] {
        let deploy = samconfig_section(&format!("{environment}.deploy.parameters"));
        assert!(deploy.contains(&format!("tags = \"Application=sharelink Environment={environment}\"")));
    }
    assert!(TEMPLATE["Globals"]["Function"].get("Tags").is_none());
    for (name, function) in functions() {
        assert!(function.get("Tags").is_none(), "{name}");
    }
}

#[test]
fn every_environment_enables_language_extensions() {
    for environment in ["local", "platform", "dev", "prod"] {
        let global = samconfig_section(&format!("{environment}.global.parameters"));
        assert!(global.contains("language_extensions = true"), "{environment}");
        let deploy = samconfig_section(&format!("{environment}.deploy.parameters"));
        let capabilities = "capabilities = \"CAPABILITY_IAM CAPABILITY_AUTO_EXPAND\"";
        assert!(deploy.contains(capabilities), "{environment}");
    }
}

fn samconfig_section(name: &str) -> &'static str {
    let mut sections = SAMCONFIG.split("\n[");
    sections.find_map(|section| section.strip_prefix(name)?.strip_prefix("]\n")).expect("the section exists")
}

#[test]
fn dashboard_shows_every_metric() {
    // Each metric with its dimension other than `Stack`. An empty string means that it has none.
    let metrics = [
        ("Shares", "Outcome"),
        ("Opens", ""),
        ("Downloads", ""),
        ("Refusals", "Reason"),
        ("Problems", "Type"),
        ("Emails", "Outcome"),
        ("EmailsPutOff", "Reason"),
        ("LongestOverdue", ""),
        ("EmailReports", "Event"),
        ("Archives", "Outcome"),
        ("CallDuration", "Service"),
        ("CallFailures", "Service"),
        ("ColdStarts", "Function"),
        ("RequestsThrottled", ""),
    ];
    let shown = dashboard_metrics();
    for (metric, dimension) in metrics {
        let is_shown = if dimension.is_empty() {
            let series = format!(r#"["Sharelink","{metric}","Stack","${{AWS::StackName}}""#);
            shown.iter().any(|metrics| metrics.to_string().contains(&series))
        } else {
            let searches = shown.iter().filter_map(|metrics| metrics[0][0]["expression"].as_str());
            searches
                .filter(|search| search.contains(&format!("{{Sharelink,Stack,{dimension}}}")))
                .any(|search| search.contains(&format!("MetricName=\"{metric}\"")))
        };
        assert!(is_shown, "{metric}");
    }
}

#[test]
fn dashboard_shows_every_aws_service() {
    let shown = Value::from(dashboard_metrics()).to_string();
    for namespace in ["AWS/ApiGateway", "AWS/Lambda", "AWS/DynamoDB", "AWS/SES", "AWS/SQS"] {
        assert!(shown.contains(namespace), "{namespace}");
    }
}

/// Returns the metrics that each dashboard widget shows.
fn dashboard_metrics() -> Vec<Value> {
    let dashboard = properties("AWS::CloudWatch::Dashboard")["Dashboard"];
    let body: Value = serde_json::from_str(dashboard["DashboardBody"]["Fn::Sub"].as_str().unwrap()).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    widgets.iter().map(|widget| widget["properties"]["metrics"].clone()).collect()
}
