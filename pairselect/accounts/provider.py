"""How an OpenID Connect server tells who somebody is. allauth finds this module by its name."""

import hashlib
from typing import Any

from allauth.socialaccount.providers.base import ProviderException
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import build_absolute_uri
from django.http import HttpRequest
from django.urls import reverse


class Server(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return str(build_absolute_uri(request, reverse("oidc_callback")))


class IssuerProvider(OpenIDConnectProvider):  # type: ignore[misc]
    oauth2_adapter_class = Server

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Of issuer and subject: where the server is exchanged, nobody becomes somebody else.

        Raises
        ------
        ProviderException
            When there is no ID token, or the user info is about somebody else.
        """
        token, info = data.get("id_token"), data.get("userinfo")
        if not token or not token.get("sub"):
            raise ProviderException("The server gave no ID token.")
        if info and info.get("sub") != token["sub"]:
            raise ProviderException("ID token and user info are about two people.")
        return hashlib.sha256(f"{token['iss']} {token['sub']}".encode()).hexdigest()

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        return []  # none is kept: nobody is known here by an e-mail address


provider_classes = [IssuerProvider]
