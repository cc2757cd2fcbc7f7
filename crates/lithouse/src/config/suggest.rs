// SPDX-License-Identifier: Apache-2.0
//! The known word that somebody may have meant.

/// The nearest of the candidates, if it is near enough to be meant.
pub(crate) fn nearest<'a>(said: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let said = said.to_ascii_lowercase();
    // One slip in a short word, three in a long one.
    let tolerance = (said.chars().count() / 3).clamp(1, 3);
    let distance = |candidate: &str| strsim::osa_distance(&said, candidate);
    // Words of another length are not compared letter by letter.
    let may_be_meant = |candidate: &&str| candidate.chars().count().abs_diff(said.chars().count()) <= tolerance;
    let ranked = candidates.into_iter().filter(may_be_meant).map(|candidate| (distance(candidate), candidate));
    ranked.filter(|(distance, _)| *distance <= tolerance).min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// The words for it.
pub(crate) fn did_you_mean(candidate: &str) -> String {
    format!("did you mean `{candidate}`?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["listen", "data", "public_base"];
        assert_eq!(nearest("lsiten", known), Some("listen"));
        assert_eq!(nearest("Listen", known), Some("listen"));
        assert_eq!(nearest("publicbase", known), Some("public_base"));
        assert_eq!(nearest("dat", known), Some("data"));
        assert_eq!(nearest("port", known), None);
        assert_eq!(nearest("", known), None);
    }
}
