//! A closed queueing network: so many connections, each of which asks, waits for its answer, and asks again.
//! Pure arithmetic, no records.

/// A place where requests queue for something that serves one of them at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// Seconds of it that a row takes.
    pub demand: f64,
}

impl Station {
    /// So many processors' worth of CPU time, and seconds of CPU time a row: the station, and what of a row's time is
    /// delay at any rate. Several processors are one as fast as all of them, and a delay that makes up for a single
    /// request not being served by all at once. Source: A. Seidmann, P. J. Schweitzer, S. Shalev-Oren, Computerized
    /// Closed Queueing Network Models of Flexible Manufacturing Systems (1987).
    pub fn processors(count: f64, seconds_a_row: f64) -> (Self, f64) {
        let demand = seconds_a_row / count.max(1e-3);
        (Self { demand }, (seconds_a_row - demand).max(0.0))
    }
}

/// Rows a second of `connections`, each waiting `delay` seconds a row wherever it is, and queueing at the stations.
/// Exact mean value analysis; source: M. Reiser, S. S. Lavenberg, Mean-Value Analysis of Closed Multichain Queuing
/// Networks, JACM 27 (1980).
pub fn throughput(connections: usize, stations: &[Station], delay: f64) -> f64 {
    let mut queues = vec![0.0; stations.len()];
    let mut rate = 0.0;
    for present in 1..=connections {
        let time = |station: &Station, queue: f64| station.demand * (1.0 + queue);
        let all: f64 = stations.iter().zip(&queues).map(|(station, queue)| time(station, *queue)).sum();
        rate = present as f64 / (delay + all).max(1e-9);
        for (queue, station) in queues.iter_mut().zip(stations) {
            *queue = rate * time(station, *queue);
        }
    }
    rate
}

/// The delay a row with which a network does so many rows a second; none where it would do fewer without any.
pub fn delay_for(rate: f64, connections: usize, stations: &[Station]) -> Option<f64> {
    let at = |delay: f64| throughput(connections, stations, delay);
    if at(0.0) < rate {
        return None;
    }
    let (mut low, mut high) = (0.0, connections as f64 / rate);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at(middle) > rate { low = middle } else { high = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_keeps_its_asymptotes() {
        let one = [Station { demand: 1e-4 }];
        assert!((throughput(1, &one, 0.02) - 1.0 / 0.0201).abs() < 1e-6, "alone nobody queues");
        assert!((throughput(500, &one, 0.001) - 1e4).abs() < 1.0, "many fill the station");
        let balanced = [Station { demand: 1e-4 }; 2];
        let known = 10.0 / (1e-4 * 11.0); // two balanced stations: N / (D (N + K - 1))
        assert!((throughput(10, &balanced, 0.0) - known).abs() < 1e-6);
    }

    #[test]
    fn a_delay_is_found_again_and_too_high_a_rate_has_none() {
        let stations = [Station { demand: 1e-4 }, Station { demand: 5e-5 }];
        let rate = throughput(15, &stations, 0.005);
        assert!((delay_for(rate, 15, &stations).unwrap() - 0.005).abs() < 1e-6);
        assert_eq!(delay_for(2e4, 15, &stations), None);
    }

    #[test]
    fn half_a_processor_takes_twice_as_long_and_two_serve_one_request_no_faster() {
        assert_eq!(Station::processors(0.5, 1e-4), (Station { demand: 2e-4 }, 0.0));
        let (station, delay) = Station::processors(2.0, 1e-4);
        assert!((station.demand - 5e-5).abs() < 1e-12 && (delay - 5e-5).abs() < 1e-12);
    }
}
