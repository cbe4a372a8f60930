//! Errors as the control protocol tells them.

use serde_json::{Map, Value, json};
use std::io;

#[derive(Clone, Debug)]
pub struct Fail {
    pub code: Option<u32>,
    pub error: String,
    /// The crate left the caller waiting; it was this program that noticed.
    pub hung: bool,
}

impl Fail {
    pub fn new(error: impl Into<String>) -> Self {
        Fail {
            code: None,
            error: error.into(),
            hung: false,
        }
    }

    /// Names the error in the tally of a workload.
    pub fn key(&self) -> String {
        match self.code {
            Some(code) => code.to_string(),
            None => self.error.clone(),
        }
    }

    pub fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("ok".into(), false.into());
        fields.insert("code".into(), json!(self.code));
        fields.insert("error".into(), json!(self.error));
        if self.hung {
            fields.insert("hung".into(), true.into());
        }
        fields
    }
}

impl From<muxado::Error> for Fail {
    fn from(error: muxado::Error) -> Self {
        Fail {
            code: Some(error as u32),
            ..Fail::new(error.to_string())
        }
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        match error
            .get_ref()
            .and_then(|e| e.downcast_ref::<muxado::Error>())
        {
            Some(error) => Fail::from(*error),
            None => Fail::new(error.to_string()),
        }
    }
}

/// The crate keeps its own conversion private.
pub fn muxado_error(code: u32) -> muxado::Error {
    use muxado::Error;
    const KNOWN: [Error; 16] = [
        Error::None,
        Error::Protocol,
        Error::Internal,
        Error::FlowControl,
        Error::StreamClosed,
        Error::StreamRefused,
        Error::StreamCancelled,
        Error::StreamReset,
        Error::FrameSizeError,
        Error::AcceptQueueFull,
        Error::EnhanceYourCalm,
        Error::RemoteGoneAway,
        Error::StreamsExhausted,
        Error::WriteTimeout,
        Error::SessionClosed,
        Error::PeerEOF,
    ];
    KNOWN
        .get(code as usize)
        .copied()
        .unwrap_or(Error::ErrorUnknown)
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_go_there_and_back() {
        for code in 0..16 {
            assert_eq!(super::muxado_error(code) as u32, code);
        }
        assert_eq!(super::muxado_error(16) as u32, u32::MAX);
    }
}
