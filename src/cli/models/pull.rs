//! `kortom models pull`: fetch a model, or say what would be fetched.

use std::process::ExitCode;

use anyhow::Result;
use indicatif::DecimalBytes;
use kortom::hub::DownloadPlan;
use serde_json::json;

use super::{ListingOptions, table};

/// Prints which files would be fetched.
pub(super) fn plan(name: &str, common: ListingOptions) -> Result<ExitCode> {
    let plan = common.hub().plan(name)?;
    common.print(&json!(plan), &plan_text(&plan))?;
    Ok(ExitCode::SUCCESS)
}

fn plan_text(plan: &DownloadPlan) -> String {
    let license = plan.license.as_deref().unwrap_or("licence not stated");
    let mut text = format!("{}@{} ({license})\n", plan.repository, plan.commit);
    text += &table(plan.files.iter().map(|file| {
        let here = match file.present {
            0 => "",
            present if present == file.size => "here",
            _ => "here in part",
        };
        vec![file.name.clone(), DecimalBytes(file.size).to_string(), here.to_owned()]
    }));
    text + &format!("{} in all, {} to fetch\n", DecimalBytes(plan.size()), DecimalBytes(plan.remaining()))
}

/// Fetches a model.
pub(super) fn run(name: &str, accept_license: bool, common: ListingOptions) -> Result<ExitCode> {
    let (plan, resolved) = common.hub().pull(name, accept_license)?;
    let folder = resolved.folder.unwrap_or_default();
    let fetched = DecimalBytes(plan.remaining());
    let text = format!("{}@{}: {fetched} fetched, all files have the right hash\n", plan.repository, plan.commit);
    common.print(&json!({ "plan": plan, "folder": folder }), &text)?;
    common.notice(&format!("use it: kortom translate --model {name} article.txt; where it is: {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}
