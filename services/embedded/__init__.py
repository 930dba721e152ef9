"""The whole of Tabling in one process: memory bus, SQLite, Envoy and a stand-in for KakaoTalk as children."""
