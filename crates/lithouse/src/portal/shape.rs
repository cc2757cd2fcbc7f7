// SPDX-License-Identifier: Apache-2.0
//! The few drawings of the page, in the colour of the text around them.

use maud::PreEscaped;

pub(super) type Shape = PreEscaped<&'static str>;

/// A lighthouse that shines.
pub(super) const LIGHT: Shape = PreEscaped(
    "<svg class=\"light\" viewBox=\"0 0 24 24\" width=\"26\" height=\"26\" aria-hidden=\"true\" focusable=\"false\">\
     <path class=\"beam\" d=\"M9.2 6.2 1.5 3.4v7.2l7.7-2zM14.8 6.2l7.7-2.8v7.2l-7.7-2z\"/>\
     <path class=\"tower\" d=\"M12 1.6 8.6 4.4v4.2h6.8V4.4zM8.9 10h6.2l1.5 11.2H7.4z\"/></svg>",
);
/// An arrow out of a box. Every card has one, so they refer to the one of `SHARED`.
pub(super) const ALONE: Shape = PreEscaped("<svg aria-hidden=\"true\"><use href=\"#alone-shape\"/></svg>");
/// What others refer to; stands once in a page.
pub(super) const SHARED: Shape = PreEscaped(
    "<svg hidden><symbol id=\"alone-shape\" viewBox=\"0 0 20 20\"><path d=\"M8 4H4.5v11.5H16V12M11.5 4H16v4.5M16 4 9 11\"/></symbol></svg>",
);
/// An arrow to the left.
pub(super) const BACK: Shape = PreEscaped(
    "<svg viewBox=\"0 0 20 20\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M16 10H4.5M9.5 4.5 4 10l5.5 5.5\"/></svg>",
);
/// An arrow in a circle.
pub(super) const RELOAD: Shape = PreEscaped(
    "<svg viewBox=\"0 0 20 20\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M15.5 7.5A6.2 6.2 0 1 0 16.2 11M16 3.5v4h-4\"/></svg>",
);
/// A magnifying glass.
pub(super) const SEARCH: Shape = PreEscaped(
    "<svg viewBox=\"0 0 20 20\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M13.2 13.2 17 17M14.5 8.75a5.75 5.75 0 1 1-11.5 0 5.75 5.75 0 0 1 11.5 0z\"/></svg>",
);
/// Half light, half dark.
pub(super) const THEME: Shape = PreEscaped(
    "<svg viewBox=\"0 0 20 20\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14z\"/><path class=\"full\" d=\"M10 3a7 7 0 0 1 0 14z\"/></svg>",
);
