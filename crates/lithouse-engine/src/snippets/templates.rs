// SPDX-License-Identifier: Apache-2.0
//! Code to begin with: the built-in templates, and those of the operator.

use serde::Serialize;

/// A piece of code that somebody may begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Template {
    /// Its name, for programs.
    pub name: String,
    /// Its name, for people.
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// Python.
    pub code: String,
}

macro_rules! built_in {
    ($($name:literal, $title:literal, $description:literal;)+) => {
        &[$(($name, $title, $description, include_str!(concat!("templates/", $name, ".py")))),+]
    };
}

const BUILT_IN: &[(&str, &str, &str, &str)] = built_in![
    "hello", "Hello, world", "Printed text, a last value and variables: what every run answers with.";
    "statistics", "Statistics of a list", "Mean, median, deviation and unusual values with the standard library alone.";
    "csv_from_text", "Read CSV", "Text or a file becomes a data frame, sorted and answered as a table.";
    "group_by", "Group and pivot", "Sales by region, and by region and product, with pandas.";
    "time_series", "Time series", "Hourly figures become daily ones, with a moving mean and the rhythm of the week.";
    "line_chart", "Line chart", "Two curves with a legend, drawn by matplotlib.";
    "bar_chart", "Bar chart", "Horizontal bars with their values; a figure that is left open is answered too.";
    "histogram", "Histogram", "Ten thousand random heights and their mean.";
    "subplots", "Several charts in one", "A line, a scatter, bars and boxes in one figure.";
    "heat_map", "Heat map", "The correlations of a table as colours and numbers.";
    "plotly_scatter", "Interactive scatter", "Points to zoom into and hover over, coloured by group, with plotly.";
    "plotly_line", "Interactive lines", "Three random walks over half a year.";
    "plotly_bar", "Interactive bars", "Two years side by side, in a figure of a given size.";
    "monte_carlo", "Monte Carlo", "A million random points estimate pi, and say how far off they may be.";
    "linear_regression", "Linear regression", "Least squares with numpy: the line, its quality, and the picture.";
    "text_analysis", "Words of a text", "How many words there are, and which are the most frequent.";
];

/// The built-in ones, with those of the operator added or in their place.
pub(super) fn all(own: &[Template]) -> Vec<Template> {
    let mut all: Vec<Template> = BUILT_IN.iter().map(|built_in| template(*built_in)).collect();
    for template in own {
        match all.iter_mut().find(|other| other.name == template.name) {
            Some(other) => other.clone_from(template),
            None => all.push(template.clone()),
        }
    }
    all
}

fn template((name, title, description, code): (&str, &str, &str, &str)) -> Template {
    // The licence is for who reads the repository.
    let code = code.split_once('\n').map_or(code, |(_, code)| code);
    Template { name: name.to_owned(), title: title.to_owned(), description: description.to_owned(), code: code.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_templates_are_added_or_take_the_place_of_built_in_ones() {
        let own = |name: &str| Template {
            name: name.to_owned(),
            title: "ours".to_owned(),
            description: String::new(),
            code: "1".to_owned(),
        };
        let built_in = all(&[]);
        let changed = all(&[own("hello"), own("new")]);
        assert_eq!(changed.len(), built_in.len() + 1);
        assert_eq!((changed[0].title.as_str(), changed[1].title.as_str()), ("ours", built_in[1].title.as_str()));
        assert_eq!(changed.last().unwrap().name, "new");
    }

    #[test]
    fn built_in_templates_begin_with_their_code() {
        for template in all(&[]) {
            assert!(!template.code.contains("SPDX") && !template.code.starts_with('\n'), "{}", template.name);
            assert!(template.description.ends_with('.') && !template.title.ends_with('.'), "{}", template.name);
        }
    }
}
