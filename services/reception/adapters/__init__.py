"""Tables, repositories, messages and the question to seat."""
