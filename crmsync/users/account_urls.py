"""The pages of allauth that we offer, under /accounts/.

Its pages to change one's e-mail addresses and to link any Microsoft account are left out: both would let people sign in
as somebody whom no administrator invited.
"""

from allauth.account import views as account
from allauth.socialaccount import views as socialaccount
from allauth.socialaccount.providers.microsoft import views as microsoft
from django.urls import path, re_path

from crmsync.users.views import password_reset_done

urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("signup/", account.signup, name="account_signup"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("password/set/", account.password_set, name="account_set_password"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", password_reset_done, name="account_reset_password_done"),
    path("password/reset/key/done/", account.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("3rdparty/login/cancelled/", socialaccount.login_cancelled, name="socialaccount_login_cancelled"),
    path("3rdparty/login/error/", socialaccount.login_error, name="socialaccount_login_error"),
    path("microsoft/login/", microsoft.oauth2_login, name="microsoft_login"),
    path("microsoft/login/callback/", microsoft.oauth2_callback, name="microsoft_callback"),
]
