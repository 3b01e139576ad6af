"""The pages in a real browser: few tests, each of something that only a browser can show."""
