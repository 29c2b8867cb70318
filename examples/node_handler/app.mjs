// A Node.js handler, run by AWS's own client for Node.js:
//
//   npm install aws-lambda-ric        (builds a native part: needs cmake, make, g++, autoconf, automake, libtool, python3)
//
//   functions:
//     node:
//       runtime: provided
//       command: [npx, --no-install, aws-lambda-ric, app.handler]
//       code: ./examples/node_handler
//
// It reports the messages that it could not take, so that only those come again.
export const handler = async (event, context) => {
  const failed = [];
  for (const record of event.Records ?? []) {
    try {
      JSON.parse(record.body);
    } catch (error) {
      console.error(`${context.awsRequestId}: ${record.messageId}: ${error.message}`);
      failed.push({ itemIdentifier: record.messageId });
    }
  }
  return { batchItemFailures: failed };
};
