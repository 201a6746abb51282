/** The Worker that the workerd suite runs beside: its bindings are what the tests use. */
export default {
  fetch(): Response {
    return new Response("belfry test worker");
  },
};
