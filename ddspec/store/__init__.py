"""What has been made: objects by key, claims on running work, the journal of attempts."""
