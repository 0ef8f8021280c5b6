import httpx


def test_the_service_is_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_models_say_licence_data_and_figures(client: httpx.Client) -> None:
    (model,) = (found for found in client.get("/v1/models").json()["models"] if found["task"] == "reid")

    assert model["name"] == "resnet18-market1501-compact"
    assert (model["runtime"], model["precision"]) == ("torch", "fp32")
    assert model["commercial_use"] is False
    assert "research" in model["licence"].lower()
    assert model["trained_on"]
    assert model["measured"]
    assert 0 < model["threshold"]["similarity"] < 1


def test_the_openapi_document_describes_uploads_and_problems(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()

    embed = document["paths"]["/v1/reid/embed"]["post"]
    assert {"multipart/form-data", "application/json", "image/jpeg"} <= set(embed["requestBody"]["content"])
    assert "application/problem+json" in embed["responses"]["default"]["content"]
    assert "/v1/galleries/{gallery}/identities/{identity}/shots" in document["paths"]


def test_a_sensible_request_id_is_kept_and_another_replaced(client: httpx.Client) -> None:
    kept = client.get("/healthz", headers={"X-Request-Id": "robot-7"}).headers["x-request-id"]
    replaced = client.get("/healthz", headers={"X-Request-Id": "a b"}).headers["x-request-id"]

    assert kept == "robot-7"
    assert replaced not in ("", "a b")
