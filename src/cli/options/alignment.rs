//! Which words of a translation and of its source belong together: the options.

use clap::Args;
use kortom::engine::AlignmentHead;
use serde::{Deserialize, Serialize};

/// Which words belong together.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input and output")]
pub struct AlignmentOptions {
    /// Say which words of source and translation belong together: in JSON, in the page of --format html, and to place markup; for
    /// models of which a head is known that aligns words
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub alignment: Option<bool>,
    /// The head of the decoder's cross-attention that aligns words, as layer and head counted from 0; layer -1 is the last
    #[arg(long, value_name = "LAYER,HEAD", value_parser = alignment_head, allow_hyphen_values = true)]
    pub alignment_head: Option<String>,
}

impl AlignmentOptions {
    /// Nothing is said, whatever the settings file wants.
    pub const OFF: Self = Self { alignment: Some(false), alignment_head: None };
}

/// Text that names a layer and a head; kept as text so that it can be shown again.
pub fn alignment_head(typed: &str) -> Result<String, String> {
    let error = "it must be a layer and a head, such as -1,0";
    layer_and_head(typed).map(|_| typed.to_owned()).ok_or_else(|| error.to_owned())
}

/// The head that a text names.
pub fn layer_and_head(typed: &str) -> Option<AlignmentHead> {
    let (layer, head) = typed.split_once(',')?;
    Some(AlignmentHead { layer: layer.trim().parse().ok()?, head: head.trim().parse().ok()? })
}
