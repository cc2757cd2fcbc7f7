// SPDX-License-Identifier: Apache-2.0
//! Answers that the proxy gives itself, because no app did: a page for people, a problem document (RFC 9457) for programs.

use std::borrow::Cow;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Response, StatusCode};
use lithouse_core::app::AppStatus;
use serde::Serialize;

use crate::body::ProxyBody;
use crate::page::{self, Page};

/// Seconds after which something that passes is worth another look.
const SOON: u32 = 2;
/// Seconds after which a program may ask again for an app that somebody has to start.
const LATER: u32 = 30;

/// Why no app answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal<'a> {
    /// The path names no app.
    NoSuchApp { name: &'a str },
    /// The app holds no process that could answer.
    NotRunning { title: &'a str, name: &'a str, status: AppStatus, reason: Option<&'a str> },
    /// It should answer, but nobody listens: it is starting again, or has just ended.
    NotListening { title: &'a str },
    /// It listens, but takes no more connections.
    Busy { title: &'a str },
    /// We could not even try.
    Unreachable { title: &'a str },
    /// It answered with something that is no answer.
    BadAnswer { title: &'a str, name: &'a str },
    /// It closed the connection instead of answering.
    NoAnswer { title: &'a str, name: &'a str },
    /// It took too long.
    TimedOut { title: &'a str, name: &'a str },
    /// The client sends nothing more of the request's body.
    Stalled,
    /// The request's body is coded in a way that would be lost on the way.
    CodedBody,
}

/// A problem document.
#[derive(Debug, Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Refusal<'_> {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchApp { .. } => StatusCode::NOT_FOUND,
            Self::NotRunning { .. } | Self::NotListening { .. } | Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable { .. } | Self::BadAnswer { .. } | Self::NoAnswer { .. } => StatusCode::BAD_GATEWAY,
            Self::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Stalled => StatusCode::REQUEST_TIMEOUT,
            Self::CodedBody => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// The word that programs may rely on.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoSuchApp { .. } => "app_not_found",
            Self::NotRunning { .. } => "app_not_running",
            Self::NotListening { .. } => "app_not_listening",
            Self::Busy { .. } => "app_busy",
            Self::Unreachable { .. } => "app_unreachable",
            Self::BadAnswer { .. } => "app_bad_answer",
            Self::NoAnswer { .. } => "app_no_answer",
            Self::TimedOut { .. } => "app_timed_out",
            Self::Stalled => "request_stalled",
            Self::CodedBody => "coded_body",
        }
    }

    /// Heading and sentence.
    fn words(&self) -> (String, String) {
        let of = |title: &str, what: &str| (title.to_owned(), format!("{title} {what}"));
        match self {
            Self::NoSuchApp { name: "" } => ("There is no such app".to_owned(), "this address names no app".to_owned()),
            Self::NoSuchApp { name } => ("There is no such app".to_owned(), format!("no app answers to the name `{name}`")),
            Self::NotRunning { title, status, .. } => match status {
                AppStatus::Starting => of(title, "is starting"),
                AppStatus::Building => of(title, "is being built: its packages are being installed"),
                // The engine is about to say where it listens.
                AppStatus::Running => of(title, "is about to answer"),
                AppStatus::Sleeping => of(title, "is asleep, and wakes up"),
                AppStatus::Stopping => of(title, "is stopping"),
                AppStatus::Stopped => of(title, "is stopped"),
                AppStatus::Failed => of(title, "could not be started"),
                AppStatus::Crashed => of(title, "has crashed"),
            },
            Self::NotListening { title } => of(title, "does not accept connections; it is starting again, or has just ended"),
            Self::Busy { title } => of(title, "is too busy to accept another connection"),
            Self::Unreachable { title } => of(title, "could not be reached from the server"),
            Self::BadAnswer { title, .. } => of(title, "answered with something that is not HTTP"),
            Self::NoAnswer { title, .. } => of(title, "closed the connection without an answer"),
            Self::TimedOut { title, .. } => of(title, "took too long to answer"),
            Self::Stalled => {
                ("This request did not come to its end".to_owned(), "nothing more of the request's body came".to_owned())
            }
            Self::CodedBody => (
                "This request is not understood".to_owned(),
                "the request uses a transfer coding other than `chunked`".to_owned(),
            ),
        }
    }

    /// What to do next. A visitor seldom can do it, so it is told for whoever looks after the app.
    fn hint(&self) -> Option<Cow<'static, str>> {
        let log = |name: &str| Some(format!("whoever looks after this app learns more with `lithouse logs {name}`").into());
        match self {
            Self::NoSuchApp { .. } => Some("check the address, or look at the list of apps at `/`".into()),
            Self::NotRunning { name, status, .. } => match status {
                AppStatus::Stopped => {
                    Some(format!("whoever looks after this app can start it with `lithouse start {name}`").into())
                }
                AppStatus::Failed | AppStatus::Crashed => log(name),
                AppStatus::Starting | AppStatus::Building | AppStatus::Running | AppStatus::Sleeping | AppStatus::Stopping => {
                    None
                }
            },
            Self::BadAnswer { name, .. } | Self::NoAnswer { name, .. } | Self::TimedOut { name, .. } => log(name),
            Self::Unreachable { .. } => Some("the server's own log tells more".into()),
            Self::Stalled => Some("send it again, without long pauses".into()),
            Self::CodedBody => Some("send the body with `Content-Length`, or with `Transfer-Encoding: chunked` alone".into()),
            Self::NotListening { .. } | Self::Busy { .. } => None,
        }
    }

    /// Whether waiting is all that is needed.
    fn is_passing(&self) -> bool {
        match self {
            // A running app without a listener is between two moments, and asking for a sleeping one is what wakes it.
            Self::NotRunning { status, .. } => status.is_passing() || matches!(status, AppStatus::Sleeping | AppStatus::Running),
            Self::NotListening { .. } | Self::Busy { .. } => true,
            Self::NoSuchApp { .. }
            | Self::Unreachable { .. }
            | Self::BadAnswer { .. }
            | Self::NoAnswer { .. }
            | Self::TimedOut { .. }
            | Self::Stalled
            | Self::CodedBody => false,
        }
    }

    /// The answer, in the form that this client reads.
    pub(crate) fn response(&self, wants_page: bool, request_id: Option<&str>) -> Response<ProxyBody> {
        let (title, detail) = self.words();
        let (reason, app_status) = match self {
            Self::NotRunning { reason, status, .. } => (*reason, Some(*status)),
            _ => (None, None),
        };
        let body = if wants_page {
            let label = app_status.map_or_else(|| self.status().as_str().to_owned(), |status| status.to_string());
            let mut detail = sentence(&detail, &title);
            detail.push('.');
            let hint = self.hint().map(|hint| sentence(&hint, &title) + ".");
            let refresh_seconds = self.is_passing().then_some(SOON);
            Page { title: &title, label: &label, detail: &detail, reason, hint: hint.as_deref(), refresh_seconds }.html()
        } else {
            let problem = Problem {
                r#type: "about:blank",
                title: self.status().canonical_reason().unwrap_or("Error"),
                status: self.status().as_u16(),
                code: self.code(),
                detail: &detail,
                hint: self.hint(),
                app_status: app_status.map(AppStatus::as_str),
                reason,
                request_id,
            };
            // A structure of plain texts and numbers always serialises.
            serde_json::to_string(&problem).unwrap_or_default()
        };
        let mut response = Response::new(ProxyBody::from(body));
        *response.status_mut() = self.status();
        self.set_headers(response.headers_mut(), wants_page);
        response
    }

    fn set_headers(&self, headers: &mut HeaderMap, wants_page: bool) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("accept"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if wants_page {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(if self.is_passing() { SOON } else { LATER }));
        }
    }
}

/// Begins with a capital letter, unless that would change a name.
fn sentence(text: &str, name: &str) -> String {
    if text.starts_with(name) {
        return text.to_owned();
    }
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
