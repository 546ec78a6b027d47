//! Tests that the deployer's policy allows what deploying the template requires.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{TEMPLATE, list, strings};
use super::roles::deployed_template;
use crate::support::Stack;

const POLICIES: [(&str, &str); 3] = [
    ("deployment.json", include_str!("../../../infra/deployer-policy/deployment.json")),
    ("resources.json", include_str!("../../../infra/deployer-policy/resources.json")),
    ("distribution.json", include_str!("../../../infra/deployer-policy/distribution.json")),
];

/// The maximum size of a managed policy in characters, without whitespace (IAM quotas).
const MAX_POLICY_SIZE: usize = 6144;

/// Long values for the policies' placeholders. An account ID has 12 digits.
const LONG_VALUES: [(&str, &str); 5] = [
    ("{AccountId}", "123456789012"),
    ("{Region}", "ap-southeast-2"),
    ("{StackName}", "a-stack-with-a-name-of-forty-characters-"),
    ("{RolePath}", "/platform/sharelink/"),
    (
        "{PermissionsBoundary}",
        "arn:aws:iam::123456789012:policy/platform/boundaries/a-policy-whose-name-is-as-long-as-a-name-may-be",
    ),
];

/// The longest name that a stack may have, so that the names of its resources match the policies.
const MAX_STACK_NAME: usize = 20;

/// `CloudFormation` shortens the stack's name and the logical ID in a name that is longer than its type
/// allows. It appends a random suffix of this length.
const SUFFIX: usize = 13;

/// The types whose generated names the policies contain and which allow the shortest names: 64 characters.
const SHORT_NAMES: [&str; 3] = ["AWS::Events::Rule", "AWS::IAM::Role", "AWS::Lambda::Function"];

/// The resource types that SAM generates from its types in this template, including those for canary
/// deployments (SAM developer guide, "Generated `CloudFormation` resources").
const GENERATED: [(&str, &[&str]); 2] = [
    (
        "AWS::Serverless::Function",
        &[
            "AWS::CodeDeploy::Application",
            "AWS::CodeDeploy::DeploymentGroup",
            "AWS::Events::Rule",
            "AWS::Lambda::Alias",
            "AWS::Lambda::EventInvokeConfig",
            "AWS::Lambda::EventSourceMapping",
            "AWS::Lambda::Function",
            "AWS::Lambda::Permission",
            "AWS::Lambda::Version",
        ],
    ),
    ("AWS::Serverless::HttpApi", &["AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"]),
];

/// The actions with which `CloudFormation` creates, updates, tags and deletes each type. They come from the
/// `handlers` in the type's resource schema, without those for properties that the template does not set.
const ACTIONS: [(&str, &str); 36] = [
    (
        "AWS::ApiGatewayV2::Api",
        "apigateway:DELETE apigateway:GET apigateway:PATCH apigateway:POST apigateway:PUT",
    ),
    (
        "AWS::ApiGatewayV2::ApiMapping",
        "apigateway:DELETE apigateway:GET apigateway:PATCH apigateway:POST apigateway:PUT",
    ),
    (
        "AWS::ApiGatewayV2::DomainName",
        "acm:DescribeCertificate apigateway:DELETE apigateway:GET apigateway:PATCH apigateway:POST \
         apigateway:PUT",
    ),
    (
        "AWS::ApiGatewayV2::Stage",
        "apigateway:DELETE apigateway:GET apigateway:PATCH apigateway:POST apigateway:TagResource \
         apigateway:UntagResource",
    ),
    (
        "AWS::AppConfig::Application",
        "appconfig:CreateApplication appconfig:DeleteApplication appconfig:GetApplication \
         appconfig:ListTagsForResource appconfig:TagResource appconfig:UntagResource \
         appconfig:UpdateApplication",
    ),
    (
        "AWS::AppConfig::ConfigurationProfile",
        "appconfig:CreateConfigurationProfile appconfig:DeleteConfigurationProfile \
         appconfig:GetConfigurationProfile appconfig:ListTagsForResource appconfig:TagResource \
         appconfig:UntagResource appconfig:UpdateConfigurationProfile",
    ),
    (
        "AWS::AppConfig::HostedConfigurationVersion",
        "appconfig:CreateHostedConfigurationVersion appconfig:DeleteHostedConfigurationVersion \
         appconfig:GetHostedConfigurationVersion",
    ),
    (
        "AWS::CloudFront::Distribution",
        "cloudfront:CreateDistribution cloudfront:DeleteDistribution cloudfront:GetDistribution \
         cloudfront:GetDistributionConfig cloudfront:ListTagsForResource cloudfront:TagResource \
         cloudfront:UntagResource cloudfront:UpdateDistribution wafv2:GetWebACL",
    ),
    (
        "AWS::CloudFront::OriginRequestPolicy",
        "cloudfront:CreateOriginRequestPolicy cloudfront:DeleteOriginRequestPolicy \
         cloudfront:GetOriginRequestPolicy cloudfront:UpdateOriginRequestPolicy",
    ),
    (
        "AWS::CloudWatch::Alarm",
        "cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms cloudwatch:ListTagsForResource \
         cloudwatch:PutMetricAlarm cloudwatch:TagResource cloudwatch:UntagResource",
    ),
    (
        "AWS::CloudWatch::Dashboard",
        "cloudwatch:DeleteDashboards cloudwatch:GetDashboard cloudwatch:ListTagsForResource \
         cloudwatch:PutDashboard cloudwatch:TagResource cloudwatch:UntagResource",
    ),
    (
        "AWS::CodeDeploy::Application",
        "codedeploy:CreateApplication codedeploy:DeleteApplication codedeploy:GetApplication \
         codedeploy:ListTagsForResource codedeploy:TagResource codedeploy:UntagResource",
    ),
    (
        "AWS::CodeDeploy::DeploymentGroup",
        "codedeploy:CreateDeploymentGroup codedeploy:DeleteDeploymentGroup codedeploy:GetDeploymentConfig \
         codedeploy:GetDeploymentGroup codedeploy:ListDeployments codedeploy:RegisterApplicationRevision \
         codedeploy:StopDeployment codedeploy:UpdateDeploymentGroup iam:PassRole",
    ),
    (
        "AWS::DynamoDB::Table",
        "dynamodb:CreateTable dynamodb:DeleteTable dynamodb:DescribeContinuousBackups \
         dynamodb:DescribeContributorInsights dynamodb:DescribeKinesisStreamingDestination \
         dynamodb:DescribeTable dynamodb:DescribeTimeToLive dynamodb:GetResourcePolicy \
         dynamodb:ListTagsOfResource dynamodb:TagResource dynamodb:UntagResource \
         dynamodb:UpdateContinuousBackups dynamodb:UpdateTable dynamodb:UpdateTimeToLive",
    ),
    (
        "AWS::Events::Rule",
        "events:DeleteRule events:DescribeRule events:ListTagsForResource events:ListTargetsByRule \
         events:PutRule events:PutTargets events:RemoveTargets events:TagResource events:UntagResource",
    ),
    ("AWS::IAM::Policy", "iam:DeleteRolePolicy iam:GetRolePolicy iam:PutRolePolicy"),
    (
        "AWS::IAM::Role",
        "iam:AttachRolePolicy iam:CreateRole iam:DeleteRole iam:DeleteRolePolicy iam:DetachRolePolicy \
         iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListRolePolicies \
         iam:PutRolePermissionsBoundary iam:PutRolePolicy iam:TagRole iam:UntagRole \
         iam:UpdateAssumeRolePolicy iam:UpdateRole iam:UpdateRoleDescription",
    ),
    (
        "AWS::Lambda::Alias",
        "codedeploy:CreateDeployment codedeploy:GetDeployment codedeploy:GetDeploymentConfig \
         codedeploy:GetDeploymentGroup codedeploy:StopDeployment lambda:CreateAlias lambda:DeleteAlias \
         lambda:GetAlias lambda:GetProvisionedConcurrencyConfig lambda:UpdateAlias",
    ),
    (
        "AWS::Lambda::EventInvokeConfig",
        "lambda:DeleteFunctionEventInvokeConfig lambda:GetFunctionEventInvokeConfig \
         lambda:PutFunctionEventInvokeConfig lambda:UpdateFunctionEventInvokeConfig",
    ),
    (
        "AWS::Lambda::EventSourceMapping",
        "lambda:CreateEventSourceMapping lambda:DeleteEventSourceMapping lambda:GetEventSourceMapping \
         lambda:ListTags lambda:TagResource lambda:UntagResource lambda:UpdateEventSourceMapping",
    ),
    (
        "AWS::Lambda::Function",
        "iam:PassRole lambda:CreateFunction lambda:DeleteFunction lambda:DeleteFunctionConcurrency \
         lambda:GetFunction lambda:GetFunctionCodeSigningConfig lambda:GetFunctionRecursionConfig \
         lambda:GetFunctionScalingConfig lambda:GetRuntimeManagementConfig lambda:PutFunctionConcurrency \
         lambda:TagResource lambda:UntagResource lambda:UpdateFunctionCode \
         lambda:UpdateFunctionConfiguration s3:GetObject s3:GetObjectVersion",
    ),
    ("AWS::Lambda::Permission", "lambda:AddPermission lambda:GetPolicy lambda:RemovePermission"),
    (
        "AWS::Lambda::Version",
        "lambda:DeleteFunction lambda:GetFunctionConfiguration lambda:GetFunctionScalingConfig \
         lambda:GetProvisionedConcurrencyConfig lambda:GetRuntimeManagementConfig \
         lambda:ListVersionsByFunction lambda:PublishVersion",
    ),
    (
        "AWS::Logs::LogGroup",
        "logs:CreateLogGroup logs:DeleteLogGroup logs:DeleteRetentionPolicy logs:DescribeLogGroups \
         logs:GetDataProtectionPolicy logs:ListTagsForResource logs:PutRetentionPolicy logs:TagResource \
         logs:UntagResource",
    ),
    ("AWS::Logs::MetricFilter", "logs:DeleteMetricFilter logs:DescribeMetricFilters logs:PutMetricFilter"),
    (
        "AWS::Route53::RecordSet",
        "route53:ChangeResourceRecordSets route53:GetChange route53:GetHostedZone \
         route53:ListResourceRecordSets",
    ),
    (
        "AWS::S3::Bucket",
        "s3:CreateBucket s3:DeleteBucket s3:GetBucketOwnershipControls s3:GetBucketPublicAccessBlock \
         s3:GetBucketTagging s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration s3:ListBucket \
         s3:PutBucketOwnershipControls s3:PutBucketPublicAccessBlock s3:PutBucketTagging \
         s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration",
    ),
    ("AWS::S3::BucketPolicy", "s3:DeleteBucketPolicy s3:GetBucketPolicy s3:PutBucketPolicy"),
    (
        "AWS::SES::ConfigurationSet",
        "ses:CreateConfigurationSet ses:DeleteConfigurationSet ses:DescribeConfigurationSet \
         ses:GetConfigurationSet ses:PutConfigurationSetDeliveryOptions \
         ses:PutConfigurationSetSuppressionOptions ses:PutConfigurationSetVdmOptions ses:TagResource \
         ses:UntagResource",
    ),
    (
        "AWS::SES::ConfigurationSetEventDestination",
        "ses:CreateConfigurationSetEventDestination ses:DeleteConfigurationSetEventDestination \
         ses:DescribeConfigurationSet ses:GetConfigurationSetEventDestinations \
         ses:UpdateConfigurationSetEventDestination",
    ),
    (
        "AWS::SES::EmailIdentity",
        "ses:CreateEmailIdentity ses:DeleteEmailIdentity ses:GetEmailIdentity ses:ListTagsForResource \
         ses:PutEmailIdentityDkimAttributes ses:PutEmailIdentityFeedbackAttributes \
         ses:PutEmailIdentityMailFromAttributes ses:TagResource ses:UntagResource",
    ),
    (
        "AWS::SQS::Queue",
        "sqs:CreateQueue sqs:DeleteQueue sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ListQueueTags \
         sqs:SetQueueAttributes sqs:TagQueue sqs:UntagQueue",
    ),
    ("AWS::SQS::QueuePolicy", "sqs:GetQueueAttributes sqs:SetQueueAttributes"),
    (
        "AWS::SSM::Parameter",
        "ssm:AddTagsToResource ssm:DeleteParameter ssm:GetParameters ssm:ListTagsForResource \
         ssm:PutParameter ssm:RemoveTagsFromResource",
    ),
    (
        "AWS::SecretsManager::ResourcePolicy",
        "secretsmanager:DeleteResourcePolicy secretsmanager:GetResourcePolicy \
         secretsmanager:PutResourcePolicy",
    ),
    (
        "AWS::SecretsManager::Secret",
        "secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:DescribeSecret \
         secretsmanager:GetRandomPassword secretsmanager:TagResource secretsmanager:UntagResource \
         secretsmanager:UpdateSecret",
    ),
];

/// The actions of the SAM CLI, and those with which API Gateway delivers its access log (API Gateway
/// developer guide, "Permissions to activate logging").
const OTHER_ACTIONS: [&str; 24] = [
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplate",
    "cloudformation:GetTemplateSummary",
    "cloudformation:TagResource",
    "codedeploy:CreateDeployment",
    "codedeploy:GetDeployment",
    "iam:CreateServiceLinkedRole",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "s3:CreateBucket",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
];

fn statements() -> Vec<Value> {
    let parsed = POLICIES.map(|(_, text)| serde_json::from_str::<Value>(text).unwrap());
    parsed.iter().flat_map(|policy| list(&policy["Statement"])).cloned().collect()
}

/// Returns whether any statement allows an action. A pattern may contain one `*`.
fn allows(statements: &[Value], action: &str) -> bool {
    let mut patterns = statements.iter().flat_map(|statement| strings(&statement["Action"]));
    patterns.any(|pattern| match pattern.split_once('*') {
        Some((prefix, suffix)) => action.starts_with(prefix) && action.ends_with(suffix),
        None => action == pattern,
    })
}

fn types_in(template: &Value) -> BTreeSet<&str> {
    let resources = template["Resources"].as_object().unwrap().values();
    resources.map(|resource| resource["Type"].as_str().unwrap()).collect()
}

/// Asserts that the policy allows all actions of a resource type.
fn assert_may_deploy(resource_type: &str) {
    let (_, actions) = ACTIONS
        .iter()
        .find(|(mapped, _)| *mapped == resource_type)
        .unwrap_or_else(|| panic!("add the actions of {resource_type} to ACTIONS and to the policy"));
    let statements = statements();
    for action in actions.split_whitespace() {
        assert!(allows(&statements, action), "{resource_type}: {action}");
    }
}

#[test]
fn deployer_may_deploy_every_resource_type() {
    for resource_type in types_in(&TEMPLATE) {
        match GENERATED.iter().find(|(sam_type, _)| *sam_type == resource_type) {
            Some((_, generated)) => generated.iter().for_each(|generated| assert_may_deploy(generated)),
            None => assert_may_deploy(resource_type),
        }
    }
}

#[tokio::test]
async fn deployer_may_deploy_every_generated_resource_type() {
    let stack = Stack::get().await;
    for resource_type in types_in(&deployed_template(&stack).await) {
        assert_may_deploy(resource_type);
    }
}

#[test]
fn deployer_may_use_the_sam_cli_and_deliver_logs() {
    let statements = statements();
    for action in OTHER_ACTIONS {
        assert!(allows(&statements, action), "{action}");
    }
}

#[test]
fn deployer_policy_fits_in_managed_policies() {
    for (name, text) in POLICIES {
        let filled = LONG_VALUES.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        let size = filled.chars().filter(|character| !character.is_whitespace()).count();
        assert!(size <= MAX_POLICY_SIZE, "{name}: {size} characters");
    }
}

#[tokio::test]
async fn policy_matches_the_generated_names() {
    let stack = Stack::get().await;
    let template = deployed_template(&stack).await;
    for (id, resource) in template["Resources"].as_object().unwrap() {
        if SHORT_NAMES.contains(&resource["Type"].as_str().unwrap()) {
            let length = MAX_STACK_NAME + 1 + id.len() + 1 + SUFFIX;
            assert!(length <= 64, "{id} shortens the name of a stack with {MAX_STACK_NAME} characters");
        }
    }
    let readme = include_str!("../../../infra/README.md");
    assert!(readme.contains(&format!("at most {MAX_STACK_NAME} lowercase letters")));
}

/// `sam deploy --resolve-s3` creates the bucket for packages with a stack of its own.
#[test]
fn deployer_may_create_and_delete_the_packages_bucket() {
    let bucket = "arn:aws:s3:::aws-sam-cli-managed-default-*";
    let mut statements = statements();
    statements.retain(|statement| strings(&statement["Resource"]).contains(&bucket));
    let (_, policy) = ACTIONS.iter().find(|(mapped, _)| *mapped == "AWS::S3::BucketPolicy").unwrap();
    let actions = "s3:CreateBucket s3:DeleteBucket s3:GetBucketPublicAccessBlock s3:GetBucketTagging \
                   s3:GetBucketVersioning s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration \
                   s3:PutBucketPublicAccessBlock s3:PutBucketTagging s3:PutBucketVersioning \
                   s3:PutEncryptionConfiguration";
    for action in actions.split_whitespace().chain(policy.split_whitespace()) {
        assert!(allows(&statements, action), "{action}");
    }
}

/// Reading the key ring opens every link, and reading rows or files is not part of a deployment. The origin
/// secret is, because `CloudFormation` passes it to the distribution and the functions.
#[test]
fn deployer_may_not_read_data() {
    let mut statements = statements();
    let origin_secret = "arn:aws:secretsmanager:{Region}:{AccountId}:secret:OriginSecret-*";
    statements.retain(|statement| statement["Resource"] != origin_secret);
    for action in ["dynamodb:GetItem", "dynamodb:Query", "secretsmanager:GetSecretValue"] {
        assert!(!allows(&statements, action), "{action}");
    }
}

/// A principal that may grant a role any permissions can grant itself any.
#[test]
fn deployer_changes_permissions_only_within_the_boundary() {
    let boundary = "{PermissionsBoundary}";
    for statement in statements() {
        let actions = strings(&statement["Action"]);
        let grants =
            ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"];
        if actions.iter().any(|action| grants.contains(action)) {
            assert_eq!(statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"], boundary);
        }
        assert!(!actions.contains(&"iam:DeleteRolePermissionsBoundary"));
        assert!(!actions.iter().any(|action| action.starts_with("iam:") && action.contains('*')));
    }
}

#[test]
fn deployer_passes_roles_only_to_lambda_and_codedeploy() {
    let all = statements();
    let mut passing = all.iter().filter(|statement| strings(&statement["Action"]).contains(&"iam:PassRole"));
    let statement = passing.next().unwrap();
    let services = strings(&statement["Condition"]["StringEquals"]["iam:PassedToService"]);
    assert_eq!(services, ["codedeploy.amazonaws.com", "lambda.amazonaws.com"]);
    assert!(passing.next().is_none());
}
