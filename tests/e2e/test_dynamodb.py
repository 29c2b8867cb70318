"""A DynamoDB table's stream to a function, end to end, and what ministack shows that no other emulator does."""
