"""From a campaign's labels to a folder of files that trainers take as they are."""
