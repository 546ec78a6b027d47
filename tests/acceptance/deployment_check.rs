//! `cargo local check-deployment` on the deployed stack. Between the check and AWS, a proxy edits some
//! responses as if a part of the deployment were missing, so that the stack stays intact for other tests.

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::proxy::Fault;
use crate::support::{Aws, Proxy, Stack, root, within_minutes};

/// What ministack does not support. The local stack skips the same checks.
const UNSUPPORTED: [&str; 4] = ["throttles", "ttl", "backups", "base-url"];

/// A check's result.
struct Checked {
    has_passed: bool,
    output: String,
}

impl Checked {
    /// Asserts that the output has a line with this finding.
    fn assert_finds(&self, finding: &str) {
        assert!(self.output.lines().any(|line| line.contains(finding)), "{finding} not in:\n{}", self.output);
    }

    /// Returns the names of the checks with this status.
    fn names(&self, status: &str) -> Vec<&str> {
        let lines = self.output.lines().filter_map(|line| line.strip_prefix(status));
        let mut names: Vec<&str> = lines.map(|line| line.trim_start().split(':').next().unwrap()).collect();
        names.dedup();
        names
    }
}

/// Checks the deployment, with AWS at the proxy's address.
async fn check(stack: &Stack, proxy: &Proxy) -> Checked {
    let name = Aws::new(stack).function_environment("NotifyRecipients").await["STACK_NAME"].clone();
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(root())
        .args(["local", "check-deployment", &name, "--api-url", &stack.info.api_url])
        .args(UNSUPPORTED.iter().flat_map(|name| ["--skip", name]))
        .env("AWS_ENDPOINT_URL", &proxy.url)
        .env("AWS_REGION", &stack.info.region)
        .env("AWS_ACCESS_KEY_ID", &stack.info.credentials.aws_access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &stack.info.credentials.aws_secret_access_key)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let Output { status, stdout, .. } = within_minutes(5, command.output()).await.unwrap();
    Checked { has_passed: status.success(), output: String::from_utf8(stdout).unwrap() }
}

/// Edits the response to the next request that contains the pattern.
fn edit(proxy: &Proxy, pattern: &str, from: &'static str, to: &'static str) {
    proxy.inject_once(&[pattern], Fault::Edit(from, to));
}

#[tokio::test]
async fn complete_deployment_passes_the_check() {
    let stack = Stack::get().await;
    let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;

    let checked = check(&stack, &proxy).await;

    assert!(checked.has_passed, "{}", checked.output);
    assert_eq!(checked.names("MISSING"), [""; 0]);
    assert_eq!(checked.names("SKIPPED"), UNSUPPORTED);
}

#[tokio::test]
async fn check_finds_every_missing_part() {
    let stack = Stack::get().await;
    let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;
    let route = "\"GET /s/{token}\"";
    edit(&proxy, "/routes", route, "\"GET /t/{token}\"");
    edit(&proxy, "/stages/", "\"autoDeploy\": true", "\"autoDeploy\": false");
    proxy.inject(4, &["/event-source-mappings/"], || {
        Some(Fault::Edit("\"State\": \"Enabled\"", "\"State\": \"Disabled\""))
    });
    // The check of the permissions also reads both rules.
    proxy.inject(4, &["AWSEvents.DescribeRule"], || Some(Fault::Edit("\"ENABLED\"", "\"DISABLED\"")));
    proxy.inject(2, &["AWSEvents.ListTargetsByRule"], || Some(Fault::Edit(":live\"", "\"")));
    edit(&proxy, "DescribeAlarms", "EmailsFailedAlarm", "OtherAlarm");
    proxy.inject_once(&["secretsmanager.GetSecretValue", "KeyRing"], Fault::Edit("current", "latest"));
    // The functions come in any order, and API Gateway does not invoke all of them.
    proxy.inject_once(
        &["-CreateShares-", "/policy"],
        Fault::Edit("apigateway.amazonaws.com", "example.amazonaws.com"),
    );
    edit(
        &proxy,
        "/v2/email/identities/",
        "\"VerifiedForSendingStatus\": true",
        "\"VerifiedForSendingStatus\": false",
    );
    edit(&proxy, "/event-destinations", "\"DELIVERY\"", "\"OPEN\"");

    let checked = check(&stack, &proxy).await;

    assert_eq!(proxy.pending_faults(), 0);
    assert!(!checked.has_passed);
    checked.assert_finds("MISSING  routes: the route GET /s/{token} does not exist");
    checked.assert_finds("MISSING  routes: the route GET /t/{token} is not in the template");
    checked.assert_finds("MISSING  stage: the stage's automatic deployment is false");
    checked
        .assert_finds("MISSING  streams: the event source mapping NotifyRecipientsPendingEmails is Disabled");
    checked.assert_finds("MISSING  rules: the rule NotifyRecipientsOverdueEmails is disabled");
    checked.assert_finds("MISSING  rules: the rule NotifyRecipientsOverdueEmails does not invoke arn:");
    checked.assert_finds("MISSING  alarms: EmailsFailedAlarm does not exist");
    checked.assert_finds("MISSING  secrets: the key ring is not valid");
    checked.assert_finds("MISSING  permissions: apigateway.amazonaws.com may not invoke");
    checked.assert_finds("PENDING  email-identity: sharelink.example is not verified");
    checked.assert_finds("MISSING  email-configuration: the list of events that SES reports");
}

#[tokio::test]
async fn check_finds_routes_without_authorization() {
    let stack = Stack::get().await;
    let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;
    edit(&proxy, "/routes", "\"JWT\"", "\"NONE\"");

    let checked = check(&stack, &proxy).await;

    assert!(!checked.has_passed);
    assert_eq!(checked.names("MISSING"), ["routes"]);
    checked.assert_finds("POST /modules/{module}/items/{item}/shares requires no token");
}

#[tokio::test]
async fn check_finds_a_missing_authorizer() {
    let stack = Stack::get().await;
    let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;
    proxy.inject(2, &["/authorizers"], || Some(Fault::Edit("\"Platform\"", "\"Other\"")));

    let checked = check(&stack, &proxy).await;

    assert!(!checked.has_passed);
    assert_eq!(checked.names("MISSING"), ["routes", "authorizers"]);
    checked.assert_finds("MISSING  authorizers: the authorizer Platform does not exist");
}

#[tokio::test]
async fn check_fails_if_it_may_not_read() {
    let stack = Stack::get().await;
    let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;
    proxy.inject_once(&["DescribeAlarms"], Fault::Respond(403, "AccessDeniedException", "no"));

    let checked = check(&stack, &proxy).await;

    assert!(!checked.has_passed);
    checked.assert_finds("MISSING  alarms: cannot check: DescribeAlarms failed with AccessDeniedException");
}

/// DNS records and SES's approval take time, so they do not fail a deployment.
#[tokio::test]
async fn unfinished_email_setup_is_pending() {
    let stack = Stack::get().await;
    let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;
    edit(
        &proxy,
        "/v2/email/identities/",
        "\"Status\": \"NOT_STARTED\", \"Tokens\": []",
        "\"Status\": \"PENDING\", \"Tokens\": [\"abc\"]",
    );
    edit(
        &proxy,
        "/v2/email/account",
        "\"ProductionAccessEnabled\": true",
        "\"ProductionAccessEnabled\": false",
    );

    let checked = check(&stack, &proxy).await;

    assert!(checked.has_passed, "{}", checked.output);
    checked.assert_finds("abc._domainkey.sharelink.example  CNAME  abc.dkim.amazonses.com");
    checked.assert_finds("PENDING  email-account: the account is in the SES sandbox");
}

/// Runs the script's own tests, with the Python packages that were installed for the stack.
#[tokio::test]
async fn check_handles_responses_that_the_emulator_never_sends() {
    Stack::get().await;
    let packages = root().join("target/local/python");
    let mut tests = Command::new(packages.join("deploy/bin/python"));
    tests
        .arg(root().join("infra/local/test_check_deployment.py"))
        .env("PYTHONPYCACHEPREFIX", packages.join("compiled"))
        .kill_on_drop(true);
    let Output { status, stderr, .. } = within_minutes(5, tests.output()).await.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
}

#[tokio::test]
async fn check_never_prints_the_key_ring() {
    let stack = Stack::get().await;
    let aws = Aws::new(&stack);
    let secret = aws.function_environment("RedeemLink").await["KEY_RING_SECRET"].clone();
    let read = json!({"SecretId": secret});
    let response = aws.call("secretsmanager", "secretsmanager.GetSecretValue", &read).await;
    let ring: Value = serde_json::from_str(response["SecretString"].as_str().unwrap()).unwrap();
    let key = ring[ring["current"].as_str().unwrap()].as_str().unwrap();
    let proxy = Proxy::start(&stack.info.aws_endpoint_url).await;
    proxy.inject_once(&["secretsmanager.GetSecretValue", "KeyRing"], Fault::Edit("current", "latest"));

    let checked = check(&stack, &proxy).await;

    checked.assert_finds("MISSING  secrets: the key ring is not valid");
    assert!(!checked.output.contains(key));
}
