// SPDX-License-Identifier: Apache-2.0
//! Metrics as text. The format is the crate's; here what was read is put into its shape.

use lithouse_core::durations::DurationCounts;
use prometheus::TextEncoder;
use prometheus::proto::{self, MetricFamily, MetricType};

use super::declare::{Kind, Metric};

/// The content type.
pub(crate) const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All that there is to be told.
#[derive(Debug, Default)]
pub(super) struct Page(Vec<MetricFamily>);

/// One metric with its values.
#[derive(Debug)]
pub(super) struct Family<'a> {
    metric: &'a Metric,
    samples: Vec<proto::Metric>,
}

impl Page {
    /// Adds a metric; without any value it is left out.
    pub(super) fn push(&mut self, family: Family<'_>) {
        let Family { metric, samples } = family;
        if samples.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(metric.name.to_owned());
        family.set_help(metric.help());
        family.set_field_type(match metric.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(samples);
        self.0.push(family);
    }

    /// Adds a metric without labels.
    pub(super) fn one(&mut self, metric: &Metric, value: f64) {
        let mut family = Family::of(metric);
        family.add(&[], value);
        self.push(family);
    }

    /// The text.
    pub(super) fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.0)
    }
}

impl<'a> Family<'a> {
    pub(super) fn of(metric: &'a Metric) -> Self {
        Self { metric, samples: Vec::new() }
    }

    /// Adds the value for these labels, in the order in which the metric names them.
    pub(super) fn add(&mut self, labels: &[&str], value: f64) {
        let mut sample = self.sample(labels);
        if self.metric.kind == Kind::Counter {
            let mut counter = proto::Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        } else {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
        self.samples.push(sample);
    }

    /// The same for durations.
    pub(super) fn add_durations(&mut self, labels: &[&str], counts: &DurationCounts) {
        let buckets = counts.within.iter().map(|(bound, count)| {
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(*count);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(counts.count);
        histogram.set_sample_sum(counts.sum.as_secs_f64());
        let mut sample = self.sample(labels);
        sample.set_histogram(histogram);
        self.samples.push(sample);
    }

    fn sample(&self, labels: &[&str]) -> proto::Metric {
        let pairs = self.metric.labels.iter().zip(labels).map(|(name, value)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        proto::Metric::from_label(pairs.collect())
    }
}
