-- A server that starts finds the commands that one before it left running.
CREATE INDEX commands_running ON commands (seq) WHERE outcome IN ('asked', 'sent');
