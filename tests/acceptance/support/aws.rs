//! Client for the local stack's emulated AWS. Tests use it in the roles of the platform and of an operator.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    LocalSecondaryIndex, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, StorageClass};
use aws_types::SdkConfig;
use chrono::DateTime;
use dynoxide::Database;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sharelink_domain::ObjectKey;
use sharelink_domain::archive::{ArchiveFile, ETag};
use tokio::net::TcpListener;

use super::stack::StackInfo;
use super::{Stack, eventually};

pub(crate) struct Aws<'a> {
    stack: &'a Stack,
    config: SdkConfig,
}

/// Returns the SDK configuration for a local endpoint that accepts any credentials.
pub(crate) fn config(endpoint: &str, region: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .build()
}

impl<'a> Aws<'a> {
    pub(crate) fn new(stack: &'a Stack) -> Self {
        let StackInfo { aws_endpoint_url, region, credentials, .. } = &stack.info;
        let provider = SharedCredentialsProvider::new(credentials.to_sdk());
        let config = config(aws_endpoint_url, region).to_builder().credentials_provider(provider).build();
        Self { stack, config }
    }

    /// Like `new`, but with this SDK configuration, for example for a DynamoDB at another endpoint.
    pub(crate) fn with_config(stack: &'a Stack, config: SdkConfig) -> Self {
        Self { stack, config }
    }

    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Starts an in-process DynamoDB with empty copies of the deployed tables. Returns the SDK configuration
    /// for it.
    pub(crate) async fn start_dynoxide(&self) -> SdkConfig {
        self.serve_dynoxide(Database::memory().unwrap()).await
    }

    /// Serves `database` as an in-process DynamoDB and adds empty copies of the deployed tables. Returns the
    /// SDK configuration for it.
    pub(crate) async fn serve_dynoxide(&self, database: Database) -> SdkConfig {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        self.copy_tables(&endpoint, true).await
    }

    /// Creates empty copies of the deployed tables in the DynamoDB at `endpoint`, with the same stream and
    /// TTL settings. Returns the SDK configuration for that DynamoDB.
    pub(crate) async fn copy_tables(&self, endpoint: &str, with_indexes: bool) -> SdkConfig {
        let config = self.config.to_builder().endpoint_url(endpoint).build();
        for name in [&self.stack.info.table_name, &self.stack.info.log_table_name] {
            self.copy_table(&config, name, with_indexes).await;
        }
        config
    }

    async fn copy_table(&self, config: &SdkConfig, name: &str, with_indexes: bool) {
        let deployed = Client::new(&self.config).describe_table().table_name(name).send().await.unwrap();
        let table = deployed.table.unwrap();
        let local = table.local_secondary_indexes().iter().map(|index| {
            LocalSecondaryIndex::builder()
                .set_index_name(index.index_name.clone())
                .set_key_schema(index.key_schema.clone())
                .set_projection(index.projection.clone())
                .build()
                .unwrap()
        });
        let global = table.global_secondary_indexes().iter().map(|index| {
            GlobalSecondaryIndex::builder()
                .set_index_name(index.index_name.clone())
                .set_key_schema(index.key_schema.clone())
                .set_projection(index.projection.clone())
                .build()
                .unwrap()
        });
        // DynamoDB rejects an empty list of indexes.
        let (local, global): (Vec<_>, Vec<_>) = (local.collect(), global.collect());
        let some_indexes = |is_empty: bool| with_indexes && !is_empty;
        let is_key = |name: &str| table.key_schema().iter().any(|key| key.attribute_name == name);
        let all_attributes = table.attribute_definitions().iter();
        let attributes = all_attributes.filter(|attribute| with_indexes || is_key(&attribute.attribute_name));
        let client = Client::new(config);
        client
            .create_table()
            .table_name(name)
            .set_attribute_definitions(Some(attributes.cloned().collect()))
            .set_key_schema(table.key_schema.clone())
            .set_local_secondary_indexes(some_indexes(local.is_empty()).then_some(local))
            .set_global_secondary_indexes(some_indexes(global.is_empty()).then_some(global))
            .set_stream_specification(table.stream_specification.clone())
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await
            .unwrap();
        let ttl = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true).build().unwrap();
        client.update_time_to_live().table_name(name).time_to_live_specification(ttl).send().await.unwrap();
    }

    /// Copies an item's rows to new tables without indexes, stream or TTL, like restored backups. Returns the
    /// names of the backup of the shares and of the backup of the log.
    pub(crate) async fn back_up(&self, item: &str) -> [String; 2] {
        let alarms = format!("ALARM#{item}");
        let rows = [self.rows(item).await, self.rows(&alarms).await].concat();
        [self.back_up_rows(rows).await, self.back_up_rows(self.log_rows(item).await).await]
    }

    async fn back_up_rows(&self, rows: Vec<HashMap<String, AttributeValue>>) -> String {
        let (client, name) = (Client::new(&self.config), super::unique("backup"));
        let definition = |name: &str| {
            let definition = AttributeDefinition::builder().attribute_name(name);
            definition.attribute_type(ScalarAttributeType::S).build().unwrap()
        };
        let key = |name: &str, key_type| {
            KeySchemaElement::builder().attribute_name(name).key_type(key_type).build().unwrap()
        };
        client
            .create_table()
            .table_name(&name)
            .attribute_definitions(definition("item"))
            .attribute_definitions(definition("entry"))
            .key_schema(key("item", KeyType::Hash))
            .key_schema(key("entry", KeyType::Range))
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await
            .unwrap();
        for row in rows {
            client.put_item().table_name(&name).set_item(Some(row)).send().await.unwrap();
        }
        name
    }

    /// Deletes a row of the table of shares.
    pub(crate) async fn delete_row(&self, item: &str, entry: &str) {
        self.delete_row_of(&self.stack.info.table_name, item, entry).await;
    }

    /// Deletes a row of the share log.
    pub(crate) async fn delete_log_row(&self, item: &str, entry: &str) {
        self.delete_row_of(&self.stack.info.log_table_name, item, entry).await;
    }

    async fn delete_row_of(&self, table: &str, item: &str, entry: &str) {
        let delete = Client::new(&self.config).delete_item().table_name(table);
        let key = |text: &str| AttributeValue::S(text.to_owned());
        delete.key("item", key(item)).key("entry", key(entry)).send().await.unwrap();
    }

    pub(crate) async fn upload(&self, key: &str, bytes: &[u8]) {
        self.upload_as(StorageClass::Standard, key, bytes).await;
    }

    /// Lets everyone with the Share permission use the item at this path, if the platform has an item
    /// resolver.
    pub(crate) async fn open_item(&self, item: &str) {
        self.describe_item(item, r#"{"share": ["*"], "manage": ["*"]}"#).await;
    }

    /// Uploads the document with the item's title and access lists, if the platform has an item resolver.
    pub(crate) async fn describe_item(&self, item: &str, document: &str) {
        if let Some(key) = self.stack.info.document_key(item) {
            self.upload(&key, document.as_bytes()).await;
        }
    }

    /// Uploads a file to an archive, from which it must be restored before it can be downloaded.
    pub(crate) async fn upload_archived(&self, key: &str, bytes: &[u8]) {
        self.upload_as(StorageClass::Glacier, key, bytes).await;
    }

    /// Uploads a file with these headers. An empty header is omitted.
    pub(crate) async fn upload_with_headers(
        &self,
        key: &str,
        bytes: &[u8],
        content_type: &str,
        content_encoding: &str,
    ) {
        let given = |header: &str| Some(header.to_owned()).filter(|header| !header.is_empty());
        let put = self.s3().put_object().bucket(&self.stack.info.files_bucket).key(key);
        let put = put.set_content_type(given(content_type)).set_content_encoding(given(content_encoding));
        put.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
    }

    /// Uploads a file whose CRC-32 S3 does not compute.
    pub(crate) async fn upload_without_crc32(&self, key: &str, bytes: &[u8]) {
        let put = self.s3().put_object().bucket(&self.stack.info.files_bucket).key(key);
        let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256);
        put.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
    }

    /// Returns a file as an archive contains it.
    pub(crate) async fn archive_file(&self, name: &str, key: &str) -> ArchiveFile {
        let head = self.s3().head_object().bucket(&self.stack.info.files_bucket).key(key);
        let head = head.send().await.unwrap();
        ArchiveFile {
            name: name.parse().unwrap(),
            key: ObjectKey::try_from(key.to_owned()).unwrap(),
            etag: ETag::parse(head.e_tag().unwrap()).unwrap(),
            size: head.content_length().unwrap().try_into().unwrap(),
            crc32: None,
            modified: DateTime::from_timestamp(head.last_modified().unwrap().secs(), 0).unwrap(),
        }
    }

    /// Uploads an object to any bucket.
    pub(crate) async fn put_object(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let put = self.s3().put_object().bucket(bucket).key(key);
        put.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
    }

    /// Returns the content of an object in any bucket, if the object exists.
    pub(crate) async fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        match self.s3().get_object().bucket(bucket).key(key).send().await {
            Ok(object) => Some(object.body.collect().await.unwrap().to_vec()),
            Err(error) => {
                assert!(error.as_service_error().unwrap().is_no_such_key(), "{error:?}");
                None
            }
        }
    }

    /// Returns the ids of the multipart uploads for a key.
    pub(crate) async fn uploads(&self, bucket: &str, key: &str) -> Vec<String> {
        let list = self.s3().list_multipart_uploads().bucket(bucket).prefix(key).send().await.unwrap();
        list.uploads().iter().map(|upload| upload.upload_id().unwrap().to_owned()).collect()
    }

    /// Aborts a multipart upload.
    pub(crate) async fn abort_upload(&self, bucket: &str, key: &str, upload: &str) {
        let abort = self.s3().abort_multipart_upload().bucket(bucket).key(key).upload_id(upload);
        abort.send().await.unwrap();
    }

    async fn upload_as(&self, class: StorageClass, key: &str, bytes: &[u8]) {
        let put = self.s3().put_object().bucket(&self.stack.info.files_bucket).key(key).storage_class(class);
        put.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.s3().delete_object().bucket(&self.stack.info.files_bucket).key(key).send().await.unwrap();
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        Self::s3_at(&self.config)
    }

    fn s3_at(config: &SdkConfig) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Returns the method that a URL for a file is signed for. Signs the same URL for each method, and
    /// compares the signatures.
    pub(crate) async fn signed_method(&self, url: &str) -> reqwest::Method {
        let url = reqwest::Url::parse(url).unwrap();
        let parameter = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        let time =
            |text: &str| chrono::NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").unwrap().and_utc();
        let presigning = PresigningConfig::builder()
            .start_time(time(&parameter("X-Amz-Date").unwrap()).into())
            .expires_in(Duration::from_secs(parameter("X-Amz-Expires").unwrap().parse().unwrap()))
            .build()
            .unwrap();
        let endpoint = url.origin().ascii_serialization();
        let s3 = Self::s3_at(&self.config.to_builder().endpoint_url(endpoint).build());
        let (bucket, key) = url.path()[1..].split_once('/').unwrap();
        let [disposition, kind, encoding] =
            ["disposition", "type", "encoding"].map(|name| parameter(&format!("response-content-{name}")));
        let get =
            s3.get_object().bucket(bucket).key(key).set_response_content_disposition(disposition.clone());
        let get = get.set_response_content_type(kind.clone()).set_response_content_encoding(encoding.clone());
        let head = s3.head_object().bucket(bucket).key(key).set_response_content_disposition(disposition);
        let head = head.set_response_content_type(kind).set_response_content_encoding(encoding);
        let get = get.presigned(presigning.clone()).await.unwrap();
        let head = head.presigned(presigning).await.unwrap();
        let signature = format!("X-Amz-Signature={}", parameter("X-Amz-Signature").unwrap());
        match [get, head].map(|signed| signed.uri().contains(&signature)) {
            [true, false] => reqwest::Method::GET,
            [false, true] => reqwest::Method::HEAD,
            matches => panic!("the URL is signed for neither method, or for both: {matches:?}"),
        }
    }

    /// Returns an item's rows in the table of shares.
    pub(crate) async fn rows(&self, item: &str) -> Vec<HashMap<String, AttributeValue>> {
        self.rows_of(&self.stack.info.table_name, item).await
    }

    /// Returns an item's rows in the share log.
    pub(crate) async fn log_rows(&self, item: &str) -> Vec<HashMap<String, AttributeValue>> {
        self.rows_of(&self.stack.info.log_table_name, item).await
    }

    async fn rows_of(&self, table: &str, item: &str) -> Vec<HashMap<String, AttributeValue>> {
        let query = Client::new(&self.config)
            .query()
            .table_name(table)
            .consistent_read(true)
            .key_condition_expression("#item = :item")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":item", AttributeValue::S(item.to_owned()));
        query.send().await.unwrap().items.unwrap_or_default()
    }

    /// Returns the whole of both tables as DynamoDB JSON.
    pub(crate) async fn scan_tables(&self) -> String {
        let StackInfo { table_name, log_table_name, .. } = &self.stack.info;
        [self.scan_table(table_name).await, self.scan_table(log_table_name).await].concat()
    }

    async fn scan_table(&self, table: &str) -> String {
        let mut rows = String::new();
        let mut scan = json!({"TableName": table});
        loop {
            let page = self.call("dynamodb", "DynamoDB_20120810.Scan", &scan).await;
            rows += &page["Items"].to_string();
            match page.get("LastEvaluatedKey") {
                Some(last) => scan["ExclusiveStartKey"] = last.clone(),
                None => return rows,
            }
        }
    }

    /// Returns every record in the stream of the table of shares.
    pub(crate) async fn stream_records(&self) -> Vec<Value> {
        self.stream_records_of(&self.stack.info.table_name).await
    }

    /// Returns every record in the log's stream.
    pub(crate) async fn log_records(&self) -> Vec<Value> {
        self.stream_records_of(&self.stack.info.log_table_name).await
    }

    async fn stream_records_of(&self, table: &str) -> Vec<Value> {
        let call = |action: &'static str, body: Value| async move {
            self.call("dynamodb", &format!("DynamoDBStreams_20120810.{action}"), &body).await
        };
        let describe = json!({"TableName": table});
        let description = self.call("dynamodb", "DynamoDB_20120810.DescribeTable", &describe).await;
        let arn = description["Table"]["LatestStreamArn"].clone();
        let stream = call("DescribeStream", json!({"StreamArn": arn})).await;
        let mut records = Vec::new();
        for shard in stream["StreamDescription"]["Shards"].as_array().unwrap() {
            let start =
                json!({"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
            let mut iterator = call("GetShardIterator", start).await["ShardIterator"].clone();
            while iterator.is_string() {
                let page = call("GetRecords", json!({"ShardIterator": iterator})).await;
                let found = page["Records"].as_array().unwrap();
                if found.is_empty() {
                    break;
                }
                records.extend(found.iter().cloned());
                iterator = page["NextShardIterator"].clone();
            }
        }
        records
    }

    /// Returns every line in every log group.
    pub(crate) async fn logs(&self) -> String {
        let groups = self.call("logs", "Logs_20140328.DescribeLogGroups", &json!({})).await;
        let mut lines = String::new();
        for group in groups["logGroups"].as_array().unwrap() {
            let mut next = Value::Null;
            loop {
                let mut query = json!({"logGroupName": group["logGroupName"]});
                if next.is_string() {
                    query["nextToken"] = next;
                }
                let page = self.call("logs", "Logs_20140328.FilterLogEvents", &query).await;
                for event in page["events"].as_array().unwrap() {
                    lines += event["message"].as_str().unwrap();
                    lines.push('\n');
                }
                next = page["nextToken"].clone();
                if !next.is_string() {
                    break;
                }
            }
        }
        lines
    }

    /// Returns an item's rows as DynamoDB JSON, the format that stream records use.
    pub(crate) async fn json_rows(&self, item: &str) -> Vec<Value> {
        let query = json!({
            "TableName": self.stack.info.table_name,
            "KeyConditionExpression": "#item = :item",
            "ExpressionAttributeNames": {"#item": "item"},
            "ExpressionAttributeValues": {":item": {"S": item}},
        });
        let response = self.call("dynamodb", "DynamoDB_20120810.Query", &query).await;
        response["Items"].as_array().unwrap().clone()
    }

    /// Returns the environment variables of the deployed function whose name contains `function`.
    pub(crate) async fn function_environment(&self, function: &str) -> HashMap<String, String> {
        let name = self.function_name(function).await;
        let url = self.function_url(&format!("{name}/configuration"));
        let configuration: Value =
            self.send("lambda", self.stack.client.get(url)).await.json().await.unwrap();
        serde_json::from_value(configuration["Environment"]["Variables"].clone()).unwrap()
    }

    /// Returns the event source mapping between a table's stream and the deployed function whose name contains
    /// `function`, in the format of Lambda's API.
    pub(crate) async fn event_source_mapping(&self, function: &str, table: &str) -> Value {
        let name = self.function_name(function).await;
        let url = format!(
            "{}/2015-03-31/event-source-mappings/?FunctionName={name}",
            self.stack.info.aws_endpoint_url
        );
        let mappings: Value = self.send("lambda", self.stack.client.get(url)).await.json().await.unwrap();
        let stream = format!(":table/{table}/stream/");
        let is_of_table = |mapping: &&Value| mapping["EventSourceArn"].as_str().unwrap().contains(&stream);
        mappings["EventSourceMappings"].as_array().unwrap().iter().find(is_of_table).unwrap().clone()
    }

    async fn function_name(&self, part: &str) -> String {
        self.function_names().await.into_iter().find(|name| name.contains(part)).unwrap()
    }

    /// Invokes the deployed function whose name contains `function`, and returns its response.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> Value {
        let name = self.function_name(function).await;
        let invoke = self.stack.client.post(self.function_url(&format!("{name}/invocations")));
        self.send("lambda", invoke.body(event.to_string())).await.json().await.unwrap()
    }

    /// Sets an environment variable of every function, or removes it if `value` is `None`.
    pub(crate) async fn set_function_variable(&self, variable: &str, value: Option<&str>) {
        for name in self.function_names().await {
            let url = self.function_url(&format!("{name}/configuration"));
            let current = self.send("lambda", self.stack.client.get(&url)).await;
            let mut environment = current.json::<Value>().await.unwrap()["Environment"].clone();
            let variables = environment["Variables"].as_object_mut().unwrap();
            match value {
                Some(value) => variables.insert(variable.to_owned(), value.into()),
                None => variables.remove(variable),
            };
            let update = self.stack.client.put(&url).body(json!({"Environment": environment}).to_string());
            self.send("lambda", update).await.error_for_status().unwrap();
        }
    }

    pub(crate) async fn function_names(&self) -> Vec<String> {
        let response = self.send("lambda", self.stack.client.get(self.function_url(""))).await;
        let list: Value = response.json().await.unwrap();
        let name = |function: &Value| function["FunctionName"].as_str().unwrap().to_owned();
        list["Functions"].as_array().unwrap().iter().map(name).collect()
    }

    fn function_url(&self, rest: &str) -> String {
        format!("{}/2015-03-31/functions/{rest}", self.stack.info.aws_endpoint_url)
    }

    /// Signs and sends a request to a service.
    pub(crate) async fn send(&self, service: &str, request: RequestBuilder) -> Response {
        let StackInfo { credentials, region, .. } = &self.stack.info;
        let request = credentials.sign(request.build().unwrap(), service, region).unwrap();
        self.stack.client.execute(request).await.unwrap()
    }

    /// Sends a request in AWS's JSON protocol.
    pub(crate) async fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let content_type = format!("application/x-amz-json-1.{}", u8::from(service != "dynamodb"));
        let response = eventually(target, || async {
            let request = self.stack.client.post(self.config.endpoint_url().unwrap());
            let request = request
                .header("X-Amz-Target", target)
                .header("Content-Type", &content_type)
                .body(body.to_string());
            let response = self.send(service, request).await;
            // The emulator fails if it lists log groups while another one is created.
            (response.status() != StatusCode::INTERNAL_SERVER_ERROR).then_some(response)
        })
        .await;
        assert!(response.status().is_success(), "{target}: {response:?}");
        response.json().await.unwrap()
    }
}
