//! The distribution in front of the API, and the limits that keep one client from locking out the others.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sharelink_http::ALLOWED_HEADERS;

use super::document::{TEMPLATE, functions, list, properties, resources, strings};

/// The IDs of the managed policies (`CloudFront` developer guide, "Use managed cache policies", "… origin
/// request policies" and "… response headers policies").
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
const ALL_VIEWER_EXCEPT_HOST: &str = "b689b0a8-53d0-40ab-baf2-68738e2966ac";

/// The headers that functions may read, but that redemption does not need.
const NOT_FOR_REDEMPTION: [&str; 4] = ["accept-encoding", "authorization", "idempotency-key", "if-match"];

/// The maximum number of headers in an origin request policy (`CloudFront` quotas).
const MAX_POLICY_HEADERS: usize = 10;

/// The status codes whose responses `CloudFront` otherwise caches for ten seconds.
const ERROR_CODES: [u64; 11] = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];

fn config() -> &'static Value {
    &properties("AWS::CloudFront::Distribution")["Distribution"]["DistributionConfig"]
}

fn behavior(path: &str) -> &'static Value {
    let mut behaviors = list(&config()["CacheBehaviors"]).into_iter();
    behaviors.find(|behavior| behavior["PathPattern"] == path).unwrap()
}

#[test]
fn distribution_serves_the_domain_over_current_tls_and_http_3() {
    assert_eq!(TEMPLATE["Resources"]["Distribution"]["Condition"], "HasDistribution");
    let config = config();
    assert_eq!(config["Aliases"], json!([{"Ref": "DomainName"}]));
    assert_eq!(config["HttpVersion"], "http2and3");
    let certificate = &config["ViewerCertificate"];
    assert_eq!(certificate["AcmCertificateArn"], json!({"Ref": "DistributionCertificateArn"}));
    assert_eq!(certificate["MinimumProtocolVersion"], "TLSv1.2_2021");
    let web_acl = json!({"Fn::If": ["HasWebAcl", {"Ref": "WebAclArn"}, {"Ref": "AWS::NoValue"}]});
    assert_eq!(config["WebACLId"], web_acl);
    let origin = &config["Origins"][0]["CustomOriginConfig"];
    assert_eq!(origin["OriginProtocolPolicy"], "https-only");
}

/// A cached redemption would not be counted, and a cached API response could reach another caller.
#[test]
fn distribution_caches_only_the_web_components() {
    assert_eq!(config()["DefaultCacheBehavior"]["CachePolicyId"], CACHING_DISABLED);
    assert_eq!(behavior("/s/*")["CachePolicyId"], CACHING_DISABLED);
    assert_eq!(behavior("/ui/*")["CachePolicyId"], CACHING_OPTIMIZED);
    assert_eq!(list(&config()["CacheBehaviors"]).len(), 2);
    let errors: Vec<Value> =
        ERROR_CODES.iter().map(|code| json!({"ErrorCode": code, "ErrorCachingMinTTL": 0})).collect();
    assert_eq!(config()["CustomErrorResponses"], Value::from(errors));
}

/// API Gateway finds the API by the host, and cannot verify a token that is not forwarded.
#[test]
fn api_gets_every_header_but_the_host() {
    let api = &config()["DefaultCacheBehavior"];
    assert_eq!(api["OriginRequestPolicyId"], ALL_VIEWER_EXCEPT_HOST);
    assert_eq!(api["ViewerProtocolPolicy"], "https-only");
    let methods: BTreeSet<&str> = strings(&api["AllowedMethods"]).into_iter().collect();
    assert!(methods.is_superset(&BTreeSet::from(["GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])));
}

#[test]
fn redemption_gets_the_headers_that_it_reads() {
    assert_eq!(behavior("/s/*")["OriginRequestPolicyId"], json!({"Ref": "RedemptionHeaders"}));
    let methods = strings(&behavior("/s/*")["AllowedMethods"]);
    assert!(methods.contains(&"POST"), "the forms of a link's pages: {methods:?}");
    let policy = &properties("AWS::CloudFront::OriginRequestPolicy")["RedemptionHeaders"];
    let headers = &policy["OriginRequestPolicyConfig"]["HeadersConfig"];
    assert_eq!(headers["HeaderBehavior"], "whitelist");
    let forwarded: BTreeSet<String> =
        strings(&headers["Headers"]).into_iter().map(str::to_lowercase).collect();
    assert!(forwarded.len() <= MAX_POLICY_HEADERS, "{forwarded:?}");
    for header in ALLOWED_HEADERS.iter().filter(|header| !NOT_FOR_REDEMPTION.contains(header)) {
        assert!(forwarded.contains(*header), "{header}");
    }
    assert!(forwarded.contains("cloudfront-viewer-address"));
    assert!(!forwarded.contains("host"));
}

#[test]
fn every_api_function_checks_the_origin_secret() {
    let secrets = json!({
        "Fn::If": ["HasDistribution", {"Fn::Sub": "{{resolve:secretsmanager:${OriginSecret}}}"}, ""]
    });
    for (name, function) in functions() {
        let mut events = function["Events"].as_object().unwrap().values();
        let is_api = events.any(|event| event["Type"] == "HttpApi");
        let variable = &function["Environment"]["Variables"]["ORIGIN_SECRETS"];
        assert_eq!(*variable, if is_api { secrets.clone() } else { Value::Null }, "{name}");
    }
    let header = &config()["Origins"][0]["OriginCustomHeaders"];
    let sent = "{{resolve:secretsmanager:${OriginSecret}:SecretString:current}}";
    assert_eq!(*header, json!([{"HeaderName": "X-Origin-Secret", "HeaderValue": {"Fn::Sub": sent}}]));
}

/// `CloudFormation` reads a secret only when it updates the resource that refers to it.
#[test]
fn new_secret_version_updates_the_functions_and_the_distribution() {
    let settings = &properties("AWS::AppConfig::HostedConfigurationVersion")["Settings"]["Content"];
    assert!(settings.to_string().contains(r#"{"Ref":"OriginSecretVersion"}"#));
    assert!(config()["Comment"]["Fn::Sub"].as_str().unwrap().contains("${OriginSecretVersion}"));
}

#[test]
fn secret_and_policy_exist_only_with_the_distribution() {
    for (resource_type, name) in [
        ("AWS::SecretsManager::Secret", "OriginSecret"),
        ("AWS::CloudFront::OriginRequestPolicy", "RedemptionHeaders"),
    ] {
        assert_eq!(resources(&TEMPLATE, resource_type)[name]["Condition"], "HasDistribution", "{name}");
    }
}

/// Links, their base URL and the API's address follow the distribution, because it serves `DomainName`.
#[test]
fn distribution_replaces_the_apis_own_domain() {
    for (resource_type, name) in [
        ("AWS::ApiGatewayV2::DomainName", "ApiDomain"),
        ("AWS::ApiGatewayV2::ApiMapping", "ApiDomainMapping"),
    ] {
        assert_eq!(resources(&TEMPLATE, resource_type)[name]["Condition"], "HasApiDomain", "{name}");
    }
    let api = &properties("AWS::Serverless::HttpApi")["Api"];
    assert_eq!(api["DisableExecuteApiEndpoint"], json!({"Fn::If": ["HasApiDomain", true, false]}));
    let records = properties("AWS::Route53::RecordSet");
    for (name, record) in &records {
        let target = record["AliasTarget"]["DNSName"].to_string();
        assert!(target.contains("Distribution.DomainName"), "{name}");
    }
    let types: BTreeSet<&str> = records.values().map(|record| record["Type"].as_str().unwrap()).collect();
    assert_eq!(types, BTreeSet::from(["A", "AAAA"]));
}

/// A path contains the link, so no log may contain the path.
#[test]
fn distribution_logs_no_links() {
    assert!(config().get("Logging").is_none());
    assert!(config()["DefaultCacheBehavior"].get("RealtimeLogConfigArn").is_none());
}

#[test]
fn throttled_requests_are_counted_from_the_access_log() {
    let filter = &properties("AWS::Logs::MetricFilter")["RequestsThrottledFilter"];
    assert_eq!(filter["LogGroupName"], json!({"Ref": "ApiLogs"}));
    assert_eq!(filter["FilterPattern"], r#"{ $.status = "429" && $.error != "-" }"#);
    let format = properties("AWS::Serverless::HttpApi")["Api"]["AccessLogSettings"]["Format"]["Fn::Sub"]
        .as_str()
        .unwrap();
    let entry: Value = serde_json::from_str(format).unwrap();
    assert_eq!(entry["stack"], "${AWS::StackName}");
    assert_eq!(entry["status"], "$context.status");
    assert_eq!(entry["error"], "$context.error.message");
    let transformation = &filter["MetricTransformations"][0];
    assert_eq!(transformation["Dimensions"], json!([{"Key": "Stack", "Value": "$.stack"}]));
    let alarm = &properties("AWS::CloudWatch::Alarm")["RequestsThrottledAlarm"];
    for (metric, property) in [("MetricNamespace", "Namespace"), ("MetricName", "MetricName")] {
        assert_eq!(transformation[metric], alarm[property]);
    }
}

/// A caller that may not share must not keep the others from revoking.
#[test]
fn routes_that_end_access_have_the_highest_limit() {
    let default = |name: &str| TEMPLATE["Parameters"][name]["Default"].as_u64().unwrap();
    for other in ["CreatesPerSecond", "RedemptionsPerSecond", "RequestsPerSecond"] {
        assert!(default("RevocationsPerSecond") >= 20 * default(other), "{other}");
    }
}
