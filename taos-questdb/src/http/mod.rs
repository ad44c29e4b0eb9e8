//! One HTTP/1.1 client: connections kept alive, limits, and the schedule of retries (questdb §5).
