//! The catalog of problem types.

use lambda_http::http::StatusCode;
use lambda_http::http::header::{HeaderValue, RETRY_AFTER};

use crate::Response;

macro_rules! problem_types {
    ($($(#[doc = $help:literal])+ $kind:ident = $status:ident $name:literal $title:literal;)+) => {
        /// A problem type (RFC 9457). Each variant's doc comment is also its help text for API users. The API
        /// document repeats the help text, and a test keeps the two identical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemType {
            $($(#[doc = $help])+ $kind,)+
        }

        impl ProblemType {
            /// All problem types.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// Returns the HTTP status of responses that report this problem.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }

            /// Returns the problem type's name, which is the last segment of its `type` URI.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// Returns the title, a short summary of the problem.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)+ }
            }

            /// Returns the help text: what the problem means and how to resolve it. Backticks mark code.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$kind => concat!($($help),+).trim_ascii(),)+ }
            }
        }
    };
}

problem_types! {
    /// The request body is missing or is not valid JSON in UTF-8. `detail` gives the position of the syntax
    /// error. Send a valid JSON object.
    MalformedBody = BAD_REQUEST "malformed-body" "The body is not valid JSON";
    /// A path parameter, query parameter, header or body field is invalid. Nothing was changed. `errors`
    /// locates each invalid value and describes the error. Correct them all and send the request again.
    InvalidRequest = UNPROCESSABLE_ENTITY "invalid-request" "The request has invalid fields";
    /// The token does not identify the caller, or it is not the token that API Gateway verified. Log in to
    /// the platform again and send the new token.
    Unauthenticated = UNAUTHORIZED "unauthenticated" "The caller could not be identified";
    /// The caller does not hold the Share permission in the item's module. A platform administrator can grant
    /// it. To avoid this error, check `share-permission` first and hide the Share button if `canShare` is
    /// `false`.
    SharePermissionMissing = FORBIDDEN "share-permission-missing" "The Share permission is missing";
    /// The caller holds the Share permission in the item's module, but the platform's rules for this item do
    /// not give the caller access. Ask a person who manages the item in the platform. A change of its rules
    /// takes effect within a minute.
    ItemAccessDenied = FORBIDDEN "item-access-denied" "The platform does not allow access to this item";
    /// The caller does not hold the right to manage all shares in the module, or in any module. It is needed
    /// to list what other users have shared. A platform administrator can grant it. To list only the caller's
    /// own shares, omit `recipient` and `sharer`.
    ManageAllPermissionMissing = FORBIDDEN "manage-all-permission-missing" "The right to manage all shares is missing";
    /// An operator has switched sharing off: all of it, or for this module, this sharer or the recipient's
    /// domain. Nothing was changed. Shares can still be listed, shortened and revoked. Ask the operator of the
    /// API when sharing will be switched on again.
    SharingOff = FORBIDDEN "sharing-off" "Sharing is switched off";
    /// The item has no share with this id, or the share was purged after its retention period. List the
    /// item's shares again.
    ShareNotFound = NOT_FOUND "share-not-found" "Share not found";
    /// The API has no route with this method and path. Check both against the API document.
    RouteNotFound = NOT_FOUND "route-not-found" "Route not found";
    /// The request did not come through the API's public address, which links and the operator use. Nothing
    /// was changed. Send the request to that address.
    WrongAddress = MISDIRECTED_REQUEST "wrong-address" "The API is not available at this address";
    /// The request body is larger than 256 KiB, which is more than any valid request needs. Send a smaller
    /// body.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body-too-large" "The body is too large";
    /// The recipient already has an active share of this item. An item has at most one share per recipient,
    /// so nothing was changed. The result contains the existing share. Its expiration can be changed and its
    /// email resent on the Active tab of the Manage Link Access dialog.
    AlreadyActive = CONFLICT "already-active" "The recipient already has an active share of this item";
    /// The recipient already has a share of this item, which has expired or was revoked. An item has at most
    /// one share per recipient, so nothing was changed. The result contains the existing share. To make its
    /// link work again, change its expiration on the Inactive tab of the Manage Link Access dialog.
    AlreadyInactive = CONFLICT "already-inactive" "The recipient already has an inactive share of this item";
    /// The recipient is not an address that email can be sent to. `detail` explains why. Correct the address
    /// and share again.
    InvalidRecipient = UNPROCESSABLE_ENTITY "invalid-recipient" "The recipient is not an email address";
    /// This deployment does not allow sharing with the recipient's domain, so no access was given, prolonged
    /// or sent again. `GET /share-rules` lists the domains. Access that the recipient already has continues
    /// until it expires, and can be shortened or revoked.
    RecipientNotAllowed = FORBIDDEN "recipient-not-allowed" "Sharing with the recipient's domain is not allowed";
    /// This deployment only sends links by email. Nothing was changed. Omit `notify` or set it to `true`. To
    /// send the link of an existing share, resend its email.
    EmailRequired = FORBIDDEN "email-required" "Links are only sent by email";
    /// The share has more files than this deployment now allows in one share, so its access cannot be
    /// prolonged or given again. Its files cannot be changed. It can still be shortened or revoked.
    TooManyFiles = FORBIDDEN "too-many-files" "The share has too many files";
    /// The same address appears earlier in the request. Its outcome is in the result for the first
    /// occurrence. No action is needed.
    DuplicateRecipient = UNPROCESSABLE_ENTITY "duplicate-recipient" "The recipient appears twice in the request";
    /// No share was created, and the reasons differ between recipients. Each result contains its problem.
    NothingCreated = CONFLICT "nothing-created" "No share was created";
    /// The link is not valid: it was shortened or altered in transit, a newer link has replaced it, its share
    /// was purged, or it has no file with this number. Open the link from the latest email.
    UnknownLink = NOT_FOUND "unknown-link" "The link does not work";
    /// The files behind this link are no longer shared. To get access again, ask the person who sent the
    /// link.
    AccessEnded = GONE "access-ended" "Access has ended";
    /// The link is valid, but the file was moved or removed. Try again later, or ask the person who sent the
    /// link.
    FileMissing = NOT_FOUND "file-missing" "The file is not available right now";
    /// The link is valid, but the file is in an archive. Ask the person who sent the link to have the file
    /// restored, then open the link again.
    FileArchived = CONFLICT "file-archived" "The file is archived";
    /// The link is valid, but the API may not read the file, because a permission or an encryption key is
    /// missing. Only the operator of the API can resolve this. Try again later, or tell the person who sent
    /// the link.
    FileForbidden = FORBIDDEN "file-forbidden" "The file cannot be opened right now";
    /// The link is valid, but its files are too many or too large for one archive. Download them one by one.
    ArchiveTooLarge = NOT_FOUND "archive-too-large" "The files are too large for one archive";
    /// An operator has paused the link, and possibly others. Nothing was counted. The same link may work again
    /// later: try it after the number of seconds in `Retry-After`.
    LinkPaused = SERVICE_UNAVAILABLE "link-paused" "This link is paused at the moment";
    /// A browser requested the link in advance, which its `Sec-Purpose`, `Purpose`, `X-Purpose` or `X-Moz`
    /// header states. Nothing was counted and no file was returned. Request the link without this header once
    /// the recipient opens it; browsers do so on their own.
    PrefetchRefused = SERVICE_UNAVAILABLE "prefetch-refused" "Links cannot be prefetched";
    /// Changing the expiration and renewing the link require an `If-Match` header with the version of the
    /// share to change. Nothing was changed. Read the share and send its `ETag` as `If-Match`.
    IfMatchMissing = PRECONDITION_REQUIRED "if-match-missing" "The If-Match header is missing";
    /// The share is no longer at the version in `If-Match` or `version`, because another request has changed
    /// it. This request did not change it. Read the share again and let the sharer decide whether the change is still
    /// wanted.
    StaleVersion = PRECONDITION_FAILED "stale-version" "The share has changed since it was read";
    /// Within the last 24 hours, the caller used this `Idempotency-Key` for a different request: another
    /// body, item or share. Nothing was changed. Use a new key for each new request, and reuse a key only to
    /// retry the same request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency-key-reused" "The idempotency key was used for another request";
    /// The share has expired or was revoked, so its link does not work and is not emailed again. Change the
    /// expiration first, then resend the email. To renew the link, send an `expiresAt` in the future.
    ShareInactive = CONFLICT "share-inactive" "The share is inactive";
    /// The previous email was requested too recently or is still being sent. Try again after the number of
    /// seconds in `Retry-After`. The wait starts at 5 minutes and doubles with each email, up to one day.
    ResendTooSoon = TOO_MANY_REQUESTS "resend-too-soon" "It is too soon for another email";
    /// The recipient reported an earlier email with this link as spam, so the link is not emailed again. It
    /// still works: copy it, and send it in another way.
    RecipientComplained = CONFLICT "recipient-complained" "The recipient reported an earlier email as spam";
    /// The recipient wants no more emails about this share, so none is sent. The link still works: copy it,
    /// or renew it without an email (`notify`). Only the recipient can allow emails again, on the page of the
    /// link.
    EmailsStopped = CONFLICT "emails-stopped" "The recipient wants no more emails about this share";
    /// The request's emails would exceed the number that the caller may send in a day. `detail` gives the
    /// limit, and how many emails are left. Send fewer, share without email (`notify`), or try again after
    /// the number of seconds in `Retry-After`, when the day ends (UTC).
    SharerLimitReached = TOO_MANY_REQUESTS "sharer-limit-reached" "The daily limit on your emails is reached";
    /// The mailbox has been sent as many emails today as it may get from all sharers together. Addresses that
    /// differ only in punctuation or a `+tag` count as one mailbox. Share without email (`notify`), or try
    /// again after the number of seconds in `Retry-After`, when the day ends (UTC).
    MailboxLimitReached = TOO_MANY_REQUESTS "mailbox-limit-reached" "The mailbox gets no more emails today";
    /// A service that the API depends on is not responding. Try again after the number of seconds in
    /// `Retry-After`, with the same `Idempotency-Key` if the request had one.
    TemporarilyUnavailable = SERVICE_UNAVAILABLE "temporarily-unavailable" "Please try again in a moment";
    /// The API failed because of an internal error. An immediate retry will not help. Contact the operator of
    /// the API.
    Internal = INTERNAL_SERVER_ERROR "internal" "Something went wrong on our side";
}

impl ProblemType {
    /// Counts the problem in the `Problems` metric. Redemption problems are counted in `Refusals` instead.
    pub fn count(self) {
        metrics::counter!("Problems", "Type" => self.name()).increment(1);
    }

    /// Sets the `Retry-After` header if the same request may succeed later.
    pub fn set_retry_after(self, response: &mut Response) {
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            // People switch links on again, not computers.
            let seconds = if self == Self::LinkPaused { "300" } else { "2" };
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
    }
}
