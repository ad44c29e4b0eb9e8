//! Sending rows over QWP: the store of unacknowledged messages, reconnecting, rejections (questdb §12.8).
