//! SSM parameters that tell the image of a service to infrastructure as code:
//! `/ecr-deploy/<cluster>/<service>/<container>/` and `push`, `image`, `digest`, `tag` or `revision`.

use crate::domain::push::PushedImage;
use serde::{Deserialize, Serialize};

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The parameters of a service, as an execution would write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceParameters {
    /// The parameters to read before: for each container, the one that tells which push wrote last.
    pub read: Vec<String>,
    /// All parameters, in the order in which they are written.
    pub values: Vec<Parameter>,
}

/// The input of conclude before parameters are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParametersFound {
    /// The pushed image.
    pub image: PushedImage,
    /// The parameters of the service.
    pub parameters: ServiceParameters,
    /// Those of `read` that are there.
    pub found: Vec<Parameter>,
}

/// The output of conclude before parameters are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParametersToWrite {
    /// The parameters to write, in this order.
    pub write: Vec<Parameter>,
}
