/** Java's two clients, a connection for each request. Arguments: `connection` or `client`, the URL. */
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

public class Ask {
  public static void main(String[] arguments) throws Exception {
    System.setProperty("http.keepAlive", "false");
    System.setProperty("jdk.httpclient.keepalive.timeout", "0");
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    for (int time = 0; time < 2; time++) {
      if (arguments[0].equals("connection")) {
        System.out.println(new String(new URL(arguments[1]).openStream().readAllBytes()));
      } else {
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[1])).timeout(Duration.ofSeconds(10)).build();
        System.out.println(client.send(request, BodyHandlers.ofString()).body());
      }
    }
  }
}
