"""GraphQL's transports: HTTP for queries and mutations, a WebSocket for everything. The schema is `payments.graphql`."""
