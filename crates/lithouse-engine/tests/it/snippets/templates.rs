// SPDX-License-Identifier: Apache-2.0
//! Every built-in template does what it promises, under the policy that everybody has.

use lithouse_engine::snippets::{Request, Status};

use super::lab::Lab;

pub(crate) fn every_template_runs_and_shows_something(lab: &Lab) {
    let templates = lab.snippets.templates();
    assert!(templates.len() >= 12);
    for template in templates {
        let answer = lab.execute(Request::of(&template.code)).expect("it can be run");
        assert_eq!(answer.status, Status::Success, "{}: {:#}", template.name, answer.json["error"]);
        assert_eq!(answer.stderr(), "", "{}", template.name);
        let output = &answer.json["output"];
        let shows = |part: &str| output[part].as_array().is_some_and(|list| !list.is_empty());
        assert!(!answer.stdout().is_empty() || shows("charts") || shows("dataframes"), "{}", template.name);
        let draws = ["chart", "histogram", "subplots", "heat_map", "plotly", "regression"]
            .iter()
            .any(|word| template.name.contains(word));
        assert_eq!(shows("charts"), draws, "{}", template.name);
        assert_eq!(output["truncated"].as_array().map(Vec::len), Some(0), "{}: {}", template.name, output["truncated"]);
    }
}
