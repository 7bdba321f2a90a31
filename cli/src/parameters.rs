//! The parameters of Systems Manager that the command reads and writes.

use crate::calls::{Calls, PARAMETERS};
use ecr_deploy::error::Error;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its text.
    pub value: String,
    /// When it was written last, if AWS says.
    pub modified: Option<Timestamp>,
    /// When it was read, by the clock of AWS.
    pub read_at: Option<Timestamp>,
}

/// The parameters of one region.
#[derive(Debug, Clone)]
pub struct Parameters(pub(crate) Calls);

impl Parameters {
    /// Reads a parameter; `None` where there is none of that name. One call:
    /// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn get(&self, name: &str) -> Result<Option<Parameter>, Error> {
        let input = json!({"Names": [name]});
        let read = self.0.post_dated(PARAMETERS, "GetParameters", name, &input).await?;
        let found = read.document["Parameters"].as_array();
        Ok(found
            .and_then(|found| parameter(found.first()?))
            .map(|found| Parameter {
                read_at: read.at,
                ..found
            }))
    }

    /// Writes a text, over that which is there.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn put(&self, name: &str, value: &str) -> Result<(), Error> {
        let input = json!({"Name": name, "Type": "String", "Overwrite": true, "Value": value});
        self.0.post(PARAMETERS, "PutParameter", name, &input).await.map(drop)
    }

    /// Deletes a parameter.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses, also where there is none of that name.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let input = json!({"Name": name});
        self.0.post(PARAMETERS, "DeleteParameter", name, &input).await.map(drop)
    }

    /// Deletes those of ten parameters at most that are there.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn delete_all(&self, names: &[String]) -> Result<(), Error> {
        let input = json!({"Names": names});
        self.0.post(PARAMETERS, "DeleteParameters", "", &input).await.map(drop)
    }
}

/// A parameter as AWS writes it: a time is seconds since 1970, with a fraction.
fn parameter(found: &Value) -> Option<Parameter> {
    let modified = found["LastModifiedDate"].as_f64();
    let since_1970 = modified.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    Some(Parameter {
        value: found["Value"].as_str()?.to_owned(),
        modified: since_1970.and_then(|since| Timestamp::from_duration(since).ok()),
        read_at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_its_text_and_the_second_of_its_last_change() {
        let found = json!({"Name": "/a", "Type": "String", "Value": "none", "LastModifiedDate": 1_796_000_000.25});
        let read = parameter(&found).unwrap();
        assert_eq!(read.value, "none");
        assert_eq!(read.modified.unwrap().to_string(), "2026-11-30T00:53:20.25Z");
        assert_eq!(parameter(&json!({"Value": "none"})).unwrap().modified, None);
        assert_eq!(parameter(&json!({"Name": "/a"})), None);
    }
}
